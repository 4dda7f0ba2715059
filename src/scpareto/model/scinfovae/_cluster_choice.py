"""What ScInfoVAE notes of its clusters: their number, scores without labels, and the course of the training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import calinski_harabasz_score

from scpareto.metrics import NumberOfClusters, number_of_clusters, silhouette
from scpareto.metrics._number_of_clusters import ESTIMATORS, before_the_drop
from scpareto.train import generalisability

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from scpareto.train import TwoPhases

_HELD_OUT = "generalisability"
_COUNTS = (2, 4, 6, 8, 10, 12, 14, 16, 18, 20)
_EPOCHS = 10
_MAX_CELLS = 2000


class ClusterChoice:
    """Estimates the number of clusters after pre-training.

    Parameters
    ----------
    method
        ``"silhouette"``, ``"leiden"`` or ``"generalisability"``.

    Raises
    ------
    ValueError
        If the method is unknown.
    """

    def __init__(self, method: str) -> None:
        if method not in (*ESTIMATORS, _HELD_OUT):
            raise ValueError(f"n_clusters_by={method!r} is not one of {', '.join([*ESTIMATORS, _HELD_OUT])}.")
        self.method = method

    def __call__(
        self, phases: TwoPhases, parts: dict[str, NDArray[np.int64]], *, lr: float, objective: str, **options: Any
    ) -> NumberOfClusters:
        """Estimate the number from a pre-trained network; held-out cells are those of the validation.

        Raises
        ------
        ValueError
            If ``"generalisability"`` has no held-out cells.
        """
        if self.method != _HELD_OUT:
            return number_of_clusters(phases.codes().numpy(), self.method, seed=phases.seed)
        if not len(parts["validation"]):
            raise ValueError("n_clusters_by='generalisability' needs held-out cells: give validation_size above 0.")
        counts = [k for k in _COUNTS if k <= min(map(len, parts.values()))]
        ratios = generalisability(
            phases.module,
            phases.manager,
            counts,
            **parts,
            weights=phases.weights,
            divergence=phases.divergence,
            max_epochs=_EPOCHS,
            lr=lr,
            objective=objective,
            **options,
        )
        return before_the_drop(counts, ratios)


def cluster_scores(codes: ArrayLike, clusters: NDArray[np.int64]) -> dict[str, float]:
    """Scores of clusters that need no labels.

    Parameters
    ----------
    codes
        Codes, shape ``(n_cells, n_latent)``.
    clusters
        Cluster of each cell, shape ``(n_cells,)``.

    Returns
    -------
    Silhouette (of at most 2,000 cells) and Calinski-Harabasz index in the space of the codes, number of clusters with
    cells, and size of the smallest of them. A single cluster has a silhouette of -1 and an index of 0.
    """
    z = np.asarray(codes, dtype=float)
    sizes = np.unique(clusters, return_counts=True)[1]
    several = 1 < len(sizes) < len(z)
    return {
        "silhouette": silhouette(z, clusters.astype(str), max_cells=_MAX_CELLS) if several else -1.0,
        "calinski_harabasz": float(calinski_harabasz_score(z, clusters)) if several else 0.0,
        "n_clusters_used": float(len(sizes)),
        "smallest_cluster": float(sizes.min()),
    }
