"""Scores of clusters, without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import calinski_harabasz_score

from scpareto.metrics import silhouette

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MAX_CELLS = 2000


def cluster_silhouette(codes: ArrayLike, clusters: NDArray[np.int64]) -> float:
    """Return the silhouette of at most 2,000 cells; -1 if all cells share one cluster, or no two cells do."""
    z = np.asarray(codes, dtype=float)
    if not 1 < len(np.unique(clusters)) < len(z):
        return -1.0
    return silhouette(z, clusters.astype(str), max_cells=_MAX_CELLS)


def cluster_scores(codes: ArrayLike, clusters: NDArray[np.int64]) -> dict[str, float]:
    """Compute scores of clusters that need no labels.

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
        "silhouette": cluster_silhouette(z, clusters),
        "calinski_harabasz": float(calinski_harabasz_score(z, clusters)) if several else 0.0,
        "n_clusters_used": float(len(sizes)),
        "smallest_cluster": float(sizes.min()),
    }
