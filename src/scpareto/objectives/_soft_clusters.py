"""Levels of a nuisance within soft clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import one_hot

if TYPE_CHECKING:
    from torch import Tensor

MAX_STEPS, TOLERANCE = 200, 1e-5
"""Limits on the expectation-maximisation of shares of levels."""


def level_shares(labels: Tensor, n_levels: int, memberships: Tensor) -> Tensor:
    r"""Shares of the levels within each soft cluster, shape ``(n_clusters, n_levels)``; zeros for an empty cluster.

    They maximise :math:`\sum_i \log \sum_c w_{ic} \pi_{s_i \mid c}`, by expectation-maximisation. For hard clusters
    this is the table of shares. An average weighted by :math:`w` would blur the shares of overlapping clusters.

    Parameters
    ----------
    labels
        Level of each cell, shape ``(n_cells,)``.
    n_levels
        Number of levels.
    memberships
        Memberships :math:`w`, shape ``(n_cells, n_clusters)``; rows sum to one.
    """
    indicators = one_hot(labels, n_levels).float()

    def table(weights: Tensor) -> Tensor:
        counts = weights.T @ indicators
        return counts / counts.sum(1, keepdim=True).clamp(min=1e-12)

    shares = table(memberships)
    for _ in range(MAX_STEPS):
        before, shares = shares, table(memberships_given_levels(memberships, labels, shares))
        if bool((shares - before).abs().max() < TOLERANCE):
            break
    return shares


def memberships_given_levels(memberships: Tensor, labels: Tensor, shares: Tensor) -> Tensor:
    """Probabilities of each cell's cluster given its level, shape ``(n_cells, n_clusters)``."""
    joint = memberships * shares[:, labels].T
    return joint / joint.sum(1, keepdim=True).clamp(min=1e-30)


def raise_to_floor(shares: Tensor, floor: float) -> Tensor:
    """Raise shares to at least about ``floor`` and normalise them in each cluster."""
    raised = shares.clamp(min=floor)
    return raised / raised.sum(1, keepdim=True)


def log_mean_exp_within(scores: Tensor, memberships: Tensor) -> Tensor:
    """Log of the mean of ``exp(scores)``, shape ``(m,)``, within each soft cluster, shape ``(n_clusters,)``.

    A cluster without cells gets 0.
    """
    present = memberships.sum(0) > 0
    # Minus infinity, because a large score of a cell in another cluster would outweigh any finite log membership. Zeros
    # for clusters without cells keep the gradient defined.
    log_memberships = torch.where(present, torch.log(memberships), torch.zeros_like(memberships))
    value = torch.logsumexp(scores[:, None] + log_memberships, 0) - torch.logsumexp(log_memberships, 0)
    return torch.where(present, value, torch.zeros_like(value))
