"""Preparing counts before modelling: batch effects of genes, counts without them and counts of another batch."""

from ._adjust_counts import adjust_counts
from ._counterfactual_counts import counterfactual_counts

__all__ = ["adjust_counts", "counterfactual_counts"]
