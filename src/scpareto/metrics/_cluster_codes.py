"""Clusters of finished codes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.neighbors import kneighbors_graph
from threadpoolctl import threadpool_limits

from scpareto.metrics._checks import check_count, check_matrix
from scpareto.metrics._robust_spectral import robust_spectral_clustering

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

_N_NEIGHBORS = 15


def cluster_codes(
    codes: ArrayLike, method: str = "kmeans", n_clusters: int | None = None, *, seed: int = 0, **options: float
) -> NDArray[np.int64]:
    """Cluster codes by one of the field's usual methods.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``.
    method
        ``"kmeans"``, five starts; ``"spectral"``, on the graph of 15 neighbours; ``"robust_spectral"``, see
        :func:`robust_spectral_clustering`; ``"leiden"``, on the graph of 15 neighbours, which finds the number of
        clusters itself, for ``resolution`` 1 unless told otherwise.
    n_clusters
        Number of clusters; not used by ``"leiden"``.
    seed
        Seed.
    **options
        ``resolution`` of ``"leiden"``; options of :func:`robust_spectral_clustering`.

    Returns
    -------
    Cluster of each cell, shape ``(n_cells,)``, numbered from 0.

    Raises
    ------
    ValueError
        If the method is unknown, ``n_clusters`` is missing where it is needed, there are fewer cells than clusters, or
        codes are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.random.default_rng(0).normal(size=(100, 2)) + 20 * np.repeat([0, 1], 50)[:, None]
    >>> sorted(np.bincount(cluster_codes(codes, "kmeans", 2)).tolist())
    [50, 50]
    """
    if method not in CLUSTERERS:
        raise ValueError(f"`method` is {method!r}; choose one of {', '.join(CLUSTERERS)}.")
    z = check_matrix(codes, "codes")
    needs_number, cluster = CLUSTERERS[method]
    if not needs_number:
        return cluster(z, seed, **options)
    if n_clusters is None:
        raise ValueError(f"`n_clusters` is missing; method {method!r} needs it.")
    k = check_count(n_clusters, "n_clusters", minimum=1)
    if k > len(z):
        raise ValueError(f"`n_clusters` is {k}; there are only {len(z)} cells.")
    with threadpool_limits(limits=1):
        return cluster(z, k, seed, **options)


def leiden_clusters(codes: NDArray[np.float64], seed: int = 0, *, resolution: float = 1.0) -> NDArray[np.int64]:
    """Leiden communities of the graph of 15 nearest neighbours, by modularity."""
    import random

    import igraph

    n_neighbors = min(_N_NEIGHBORS, len(codes) - 1)
    nearest = kneighbors_graph(codes, n_neighbors)
    rows, columns = nearest.maximum(nearest.T).nonzero()
    upper = rows < columns
    graph = igraph.Graph(n=len(codes), edges=np.column_stack([rows[upper], columns[upper]]).tolist())
    # igraph has one global random generator; it is reset to Python's afterwards.
    igraph.set_random_number_generator(random.Random(seed))
    try:
        communities = graph.community_leiden(objective_function="modularity", resolution=resolution, n_iterations=5)
    finally:
        igraph.set_random_number_generator(random)
    return np.asarray(communities.membership, dtype=np.int64)


def _kmeans(z: NDArray[np.float64], k: int, seed: int) -> NDArray[np.int64]:
    return KMeans(k, n_init=5, random_state=seed).fit_predict(z).astype(np.int64)


def _spectral(z: NDArray[np.float64], k: int, seed: int) -> NDArray[np.int64]:
    model = SpectralClustering(
        k,
        affinity="nearest_neighbors",
        n_neighbors=min(_N_NEIGHBORS, len(z) - 1),
        assign_labels="kmeans",
        random_state=seed,
    )
    with warnings.catch_warnings():
        # Separate components of the graph are clusters, which is what is looked for.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        return model.fit_predict(z).astype(np.int64)


def _robust(z: NDArray[np.float64], k: int, seed: int, **options: float) -> NDArray[np.int64]:
    return robust_spectral_clustering(z, k, seed=seed, **options)  # type: ignore[arg-type]


CLUSTERERS: dict[str, tuple[bool, Callable[..., NDArray[np.int64]]]] = {
    "kmeans": (True, _kmeans),
    "spectral": (True, _spectral),
    "robust_spectral": (True, _robust),
    "leiden": (False, leiden_clusters),
}
"""Whether a method needs the number of clusters, and the method, by name."""
