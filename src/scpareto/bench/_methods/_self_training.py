"""Self-training of clusters: targets of all cells are refreshed until the clusters no longer change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from scpareto.objectives import clustering_divergence, kmeans_centres, soft_assignments, target_distribution

if TYPE_CHECKING:
    from torch import Tensor


class SelfTraining:
    """Cluster centres, targets of all cells, and the rule that stops their training.

    Parameters
    ----------
    codes
        Codes of all cells, shape ``(n_cells, n_latent)``.
    n_clusters
        Number of K-means clusters; not needed with ``labels``.
    labels
        Initial cluster of each cell, shape ``(n_cells,)``, from 0 without gaps.
    tolerance
        Training stops if a smaller share of cells changes its cluster between refreshes.
    """

    def __init__(
        self, codes: Tensor, n_clusters: int = 0, *, labels: Tensor | None = None, tolerance: float = 1e-3
    ) -> None:
        if labels is None:
            centres, labels = kmeans_centres(codes, n_clusters)
        else:
            centres = torch.stack([codes[labels == k].mean(0) for k in range(int(labels.max()) + 1)])
        self.centres = centres.clone().requires_grad_(True)
        self.labels = labels
        self._tolerance = tolerance
        self.targets = target_distribution(soft_assignments(codes, centres))

    def loss(self, codes: Tensor, rows: Tensor) -> Tensor:
        """Return the divergence of the assignments of some cells from their targets, in nats."""
        return clustering_divergence(self.targets[rows], soft_assignments(codes, self.centres))

    @torch.no_grad()
    def refresh(self, codes: Tensor) -> bool:
        """Update targets and labels from the codes of all cells; return whether the clusters have converged."""
        assignments = soft_assignments(codes, self.centres)
        self.targets = target_distribution(assignments)
        labels = assignments.argmax(1)
        changed = float((labels != self.labels).float().mean())
        self.labels = labels
        return changed < self._tolerance
