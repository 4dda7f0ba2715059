"""Self-training of clusters: targets over all cells, refreshed now and then, until the clusters stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from scpareto.objectives import clustering_divergence, kmeans_centres, soft_assignments, target_distribution

if TYPE_CHECKING:
    from torch import Tensor


class SelfTraining:
    """Centres, targets of all cells, and the rule that ends their training.

    Parameters
    ----------
    codes
        Codes of all cells, shape ``(n_cells, n_latent)``.
    n_clusters
        Clusters that K-means looks for; not needed where ``labels`` are given.
    labels
        Cluster of each cell to begin with, shape ``(n_cells,)``, from 0 without gaps.
    tolerance
        Share of cells that change their cluster between refreshes below which training ends.
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
        """Divergence of the assignments of some cells from their targets, in nats."""
        return clustering_divergence(self.targets[rows], soft_assignments(codes, self.centres))

    @torch.no_grad()
    def refresh(self, codes: Tensor) -> bool:
        """Renew targets and labels from the codes of all cells; True where the clusters have come to rest."""
        assignments = soft_assignments(codes, self.centres)
        self.targets = target_distribution(assignments)
        labels = assignments.argmax(1)
        changed = float((labels != self.labels).float().mean())
        self.labels = labels
        return changed < self._tolerance
