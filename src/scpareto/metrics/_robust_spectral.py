"""Spectral clustering of a neighbour graph after removal of disturbing edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh
from sklearn.cluster import KMeans
from sklearn.neighbors import kneighbors_graph
from threadpoolctl import threadpool_limits

from scpareto.metrics._checks import check_count, check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MAX_ROUNDS = 50
_MIN_DECREASE = 1e-10
_MAX_DENSE_CELLS = 50
_ZERO = 1e-9
"""A smaller sum of eigenvalues means that the graph is already disconnected; the rest is rounding error."""


def robust_spectral_clustering(
    codes: ArrayLike,
    n_clusters: int,
    *,
    n_neighbors: int = 15,
    max_removed: float = 20,
    max_removed_share: float = 0.5,
    seed: int = 0,
) -> NDArray[np.int64]:
    r"""Spectral clustering that leaves out the few edges of the neighbour graph that disturb it most.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``.
    n_clusters
        Number of clusters.
    n_neighbors
        Neighbours of a cell; the graph is their union.
    max_removed
        Maximal number of removed edges, or if below 1 their share of all edges. 0 is plain spectral clustering.
    max_removed_share
        Maximal share of its edges that a cell may lose.
    seed
        Seed of K-means and of the eigenvectors.

    Returns
    -------
    Cluster of each cell, shape ``(n_cells,)``, numbered from 0.

    Raises
    ------
    ValueError
        If codes are not finite, there are no more cells than clusters or neighbours, or an option is out of range.

    Notes
    -----
    With :math:`h_u` the row of cell :math:`u` in the :math:`K` generalised eigenvectors
    :math:`(D - A) h = \lambda D h` of the smallest eigenvalues, removing the edge :math:`(u, v)` changes the sum of
    these eigenvalues, to first order, by :math:`-p_{uv}` with

    .. math:: p_{uv} = \lVert h_u - h_v \rVert^2 - \sum_r \lambda_r (h_{ur}^2 + h_{vr}^2).

    Edges of positive :math:`p` are removed from the largest down within both limits, eigenvectors are found again, and
    so on while the sum falls. K-means on the rows gives the clusters.

    References
    ----------
    :cite:p:`Bojchevski2017`.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.random.default_rng(0).normal(size=(100, 2)) + 20 * np.repeat([0, 1], 50)[:, None]
    >>> sorted(np.bincount(robust_spectral_clustering(codes, 2)).tolist())
    [50, 50]
    """
    z = check_matrix(codes, "codes")
    k = check_count(n_clusters, "n_clusters", minimum=2)
    if len(z) <= max(k, n_neighbors):
        raise ValueError(f"`n_clusters` is {k} and `n_neighbors` {n_neighbors}; there are only {len(z)} cells.")
    if max_removed < 0 or not 0 <= max_removed_share <= 1:
        raise ValueError(
            f"`max_removed` is {max_removed} and `max_removed_share` {max_removed_share}; the first must not be "
            "negative and the second in [0, 1]."
        )
    with threadpool_limits(limits=1):
        nearest = kneighbors_graph(z, check_count(n_neighbors, "n_neighbors", minimum=1))
        graph = sparse.csr_matrix(nearest.maximum(nearest.T))
        edges = sparse.triu(graph, k=1).tocoo()
        pairs = np.column_stack([edges.row, edges.col])
        allowed = int(max_removed * len(pairs)) if max_removed < 1 else int(max_removed)
        quota = np.floor(max_removed_share * np.asarray(graph.sum(axis=1)).ravel()).astype(int)
        kept = np.ones(len(pairs), dtype=bool)
        values, vectors = _smallest_eigenpairs(_adjacency(pairs, len(z)), k, seed)
        for _ in range(_MAX_ROUNDS if allowed else 0):
            if values.sum() < _ZERO:
                break
            candidate = _remove_edges(pairs, values, vectors, allowed, quota)
            if np.array_equal(candidate, kept):
                break
            new_values, new_vectors = _smallest_eigenpairs(_adjacency(pairs[candidate], len(z)), k, seed)
            if values.sum() - new_values.sum() < _MIN_DECREASE:
                break
            kept, values, vectors = candidate, new_values, new_vectors
        return KMeans(k, n_init=10, random_state=seed).fit_predict(vectors).astype(np.int64)


def _adjacency(pairs: NDArray[np.int64], n_cells: int) -> sparse.csr_matrix:
    """Symmetric adjacency of edges, shape ``(n_edges, 2)``."""
    half = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n_cells, n_cells))
    return sparse.csr_matrix(half + half.T)


def _smallest_eigenpairs(
    graph: sparse.csr_matrix, k: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest generalised eigenvalues of the Laplacian, ascending, and their vectors, shape ``(n_cells, k)``."""
    # Each connected component has an eigenvalue 0, and Lanczos iterations may miss some of several equal ones.
    n_components, component = connected_components(graph, directed=False)
    values, vectors = [], []
    for c in range(n_components):
        cells = np.flatnonzero(component == c)
        component_values, component_vectors = _smallest_of_component(graph[cells][:, cells], min(k, len(cells)), seed)
        embedded = np.zeros((graph.shape[0], len(component_values)))
        embedded[cells] = component_vectors
        values.append(component_values)
        vectors.append(embedded)
    all_values = np.concatenate(values)
    order = np.argsort(all_values, kind="stable")[:k]
    return all_values[order], np.concatenate(vectors, axis=1)[:, order]


def _smallest_of_component(
    graph: sparse.csr_matrix, k: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    roots = np.sqrt(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12))
    # The largest eigenvalues of the normalised adjacency are used, as the smallest of a Laplacian converge slowly.
    normalised = sparse.csr_matrix(sparse.diags(1 / roots) @ graph @ sparse.diags(1 / roots))
    if len(roots) <= max(_MAX_DENSE_CELLS, k + 1):
        values, vectors = np.linalg.eigh(normalised.toarray())
        values, vectors = values[-k:], vectors[:, -k:]
    else:
        start = np.random.default_rng(seed).uniform(0.5, 1.5, len(roots))
        values, vectors = eigsh(normalised, k=k, which="LA", v0=start)
    return 1 - values, vectors / roots[:, None]


def _remove_edges(
    pairs: NDArray[np.int64],
    values: NDArray[np.float64],
    vectors: NDArray[np.float64],
    allowed: int,
    quota: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return the mask of the edges that remain after the most disturbing ones are removed within both limits."""
    a, b = vectors[pairs[:, 0]], vectors[pairs[:, 1]]
    scores = ((a - b) ** 2).sum(1) - ((a**2 + b**2) * values).sum(1)
    kept, left, n_removed = np.ones(len(pairs), dtype=bool), quota.copy(), 0
    for edge in np.argsort(-scores, kind="stable"):
        if n_removed >= allowed or scores[edge] <= 0:
            break
        u, v = pairs[edge]
        if left[u] > 0 and left[v] > 0:
            kept[edge] = False
            left[[u, v]] -= 1
            n_removed += 1
    return kept
