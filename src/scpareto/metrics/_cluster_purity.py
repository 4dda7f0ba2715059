"""How pure the neighbourhoods of given clusters stay in the codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from ._checks import check_count, check_labels, check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SILHOUETTE_CELLS = 2000


def cluster_purity(
    codes: ArrayLike, clusters: ArrayLike, batch: ArrayLike, *, n_neighbors: int = 15
) -> NDArray[np.float64]:
    r"""Share of each cell's neighbours, within its batch, that are of its own cluster, corrected for chance.

    Neighbours are sought inside a cell's own batch, where removing differences between batches changes nothing. A
    cluster that a correction merges into another one loses its purity, however few cells it has.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``.
    clusters
        Cluster of each cell, shape ``(n_cells,)``, e.g. of :func:`clusters_within_batches`.
    batch
        Batch of each cell, shape ``(n_cells,)``.
    n_neighbors
        Neighbours :math:`k`. A cluster of :math:`n_c \le k` cells in a batch uses :math:`n_c - 1`, so that it can be
        pure.

    Returns
    -------
    Value of each cell, shape ``(n_cells,)``: with the share :math:`p` of own neighbours and the share :math:`e` of the
    cluster among the other cells of the batch, :math:`(p - e) / (1 - e)`; 1 for a pure neighbourhood, about 0 for one
    drawn at random. NaN for cells that are alone in their cluster, and where a batch is one cluster.

    Raises
    ------
    ValueError
        If codes are not finite, lengths differ, or labels are missing.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.r_[np.random.default_rng(0).normal(size=(40, 2)), np.full((10, 2), 9.0)]
    >>> clusters = np.repeat(["large", "small"], [40, 10])
    >>> float(cluster_purity(codes, clusters, np.repeat("a", 50)).min())
    1.0
    """
    z = check_matrix(codes, "codes")
    cluster = check_labels(clusters, "clusters", n_cells=len(z))
    group = check_labels(batch, "batch", n_cells=len(z))
    k = check_count(n_neighbors, "n_neighbors", minimum=1)
    purity = np.full(len(z), np.nan)
    for b in np.unique(group):
        cells = np.flatnonzero(group == b)
        _, own, size = np.unique(cluster[cells], return_inverse=True, return_counts=True)
        if len(size) < 2 or len(cells) < 3:
            continue
        n_neighbors_found = min(k, len(cells) - 1)
        near = NearestNeighbors(n_neighbors=n_neighbors_found).fit(z[cells]).kneighbors(return_distance=False)
        same = own[near] == own[:, None]
        wanted = np.minimum(n_neighbors_found, size[own] - 1)
        counted = np.arange(n_neighbors_found)[None, :] < wanted[:, None]
        share = (same & counted).sum(1) / np.maximum(wanted, 1)
        expected = (size[own] - 1) / (len(cells) - 1)
        purity[cells] = np.where(wanted > 0, (share - expected) / (1 - expected), np.nan)
    return purity


def clusters_within_batches(
    expression: ArrayLike, batch: ArrayLike, *, max_clusters: int = 12, min_cells: int = 10, seed: int = 0
) -> NDArray[np.str_]:
    """Clusters of each batch on its own, found in expression space without labels.

    K-means for each number of clusters from 2 on; the number with the largest silhouette is taken, the larger one
    where two are within 0.01, so that small groups are not swallowed.

    Parameters
    ----------
    expression
        Reference representation, shape ``(n_cells, n_components)``, as a rule principal components.
    batch
        Batch of each cell, shape ``(n_cells,)``.
    max_clusters
        Largest number of clusters of a batch.
    min_cells
        Cells of a batch for each cluster, on average, at least.
    seed
        Seed of K-means.

    Returns
    -------
    Names ``"<batch>/<cluster>"``, shape ``(n_cells,)``.

    Raises
    ------
    ValueError
        If values are not finite, lengths differ, or batches are missing.
    """
    x = check_matrix(expression, "expression")
    group = check_labels(batch, "batch", n_cells=len(x))
    names = np.array([f"{b}/0" for b in group], dtype=object)
    with threadpool_limits(limits=1):
        for b in np.unique(group):
            cells = np.flatnonzero(group == b)
            names[cells] = [f"{b}/{c}" for c in _clusters(x[cells], max_clusters, min_cells, seed)]
    return names.astype(str)


def _clusters(x: NDArray[np.float64], max_clusters: int, min_cells: int, seed: int) -> NDArray[np.int64]:
    best, chosen = -np.inf, np.zeros(len(x), dtype=np.int64)
    for n_clusters in range(2, min(max_clusters, len(x) // min_cells) + 1):
        found = KMeans(n_clusters, n_init=5, random_state=seed).fit_predict(x)
        score = silhouette_score(x, found, sample_size=min(len(x), _SILHOUETTE_CELLS), random_state=seed)
        if score > best - 0.01:
            best, chosen = max(best, score), found
    return chosen
