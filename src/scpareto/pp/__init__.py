"""Prepare counts before modelling: shared genes, gene lengths, batch effects of genes, and input of ScInfoVAE."""

from scpareto.pp._adjust_counts import adjust_counts
from scpareto.pp._counterfactual_counts import counterfactual_counts
from scpareto.pp._gene_lengths import normalize_gene_lengths
from scpareto.pp._intersect_genes import intersect_genes
from scpareto.pp._prepare_scinfovae import prepare_scinfovae
from scpareto.pp._variable_genes import variable_genes

__all__ = ["adjust_counts", "counterfactual_counts", "intersect_genes", "normalize_gene_lengths", "prepare_scinfovae"]
