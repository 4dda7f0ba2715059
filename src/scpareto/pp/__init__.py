"""Preparing counts before modelling: shared genes, gene lengths, batch effects of genes, and what ScInfoVAE wants."""

from ._adjust_counts import adjust_counts
from ._counterfactual_counts import counterfactual_counts
from ._gene_lengths import normalize_gene_lengths
from ._intersect_genes import intersect_genes
from ._prepare_scinfovae import prepare_scinfovae
from ._variable_genes import variable_genes

__all__ = ["adjust_counts", "counterfactual_counts", "intersect_genes", "normalize_gene_lengths", "prepare_scinfovae"]
