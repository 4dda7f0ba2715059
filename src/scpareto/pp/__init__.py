"""Preparing counts before modelling: batch effects of genes, counts without them, and what ScInfoVAE wants."""

from ._adjust_counts import adjust_counts
from ._counterfactual_counts import counterfactual_counts
from ._prepare_scinfovae import prepare_scinfovae

__all__ = ["adjust_counts", "counterfactual_counts", "prepare_scinfovae"]
