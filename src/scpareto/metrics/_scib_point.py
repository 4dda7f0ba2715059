"""Neighbours, silhouettes and clusters of one set of codes, computed once for all metrics of scib-metrics."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from scpareto.metrics._scib_silhouettes import euclidean_silhouette

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ScibPoint:
    """One set of codes with its neighbours, silhouettes and clusters.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``, in single precision as scib-metrics computes.
    label, batch
        Numbers from 0 that stand for the label and the batch of each cell, shape ``(n_cells,)``.
    nearest
        Neighbours of the codes, as scib-metrics keeps them.
    expression_share
        Share of the variance of the uncorrected components that batch explains.
    seed
        Seed of k-means.
    """

    def __init__(
        self,
        codes: NDArray[np.float32],
        label: NDArray[np.int64],
        batch: NDArray[np.int64],
        *,
        nearest: Any,
        expression_share: float,
        seed: int,
    ) -> None:
        self.codes, self.label, self.batch = codes, label, batch
        self.nearest, self.expression_share, self.seed = nearest, expression_share, seed

    def first_neighbors(self, n_neighbors: int) -> Any:
        """Return the first neighbours of each cell, all of them where there are fewer."""
        return self.nearest.subset_neighbors(n=min(n_neighbors, self.nearest.n_neighbors))

    @cached_property
    def silhouette(self) -> NDArray[np.float64]:
        """Silhouette of each cell in its label, shape ``(n_cells,)``, in [-1, 1]."""
        return euclidean_silhouette(self.codes, self.label)

    @cached_property
    def clusters(self) -> NDArray[np.int32]:
        """Cluster of each cell by k-means with as many clusters as labels, shape ``(n_cells,)``.

        The start is that of scib-metrics for the same seed; the iterations are those of scikit-learn, which stop where
        nothing changes any more, while scib-metrics always makes at least 300 and compiles them for every call.
        """
        import jax
        from scib_metrics.utils import KMeans as ScibKMeans

        n_clusters = int(self.label.max()) + 1
        centered = self.codes - self.codes.mean(axis=0)
        of_scib = ScibKMeans(n_clusters, seed=self.seed)
        start = np.asarray(of_scib._initialize(centered, n_clusters, jax.random.split(of_scib.seed, 1)[0]))
        return KMeans(n_clusters, init=start, n_init=1, tol=0, max_iter=10_000).fit_predict(centered)


def find_neighbors(codes: NDArray[np.float32], n_neighbors: int, *, exact: bool, seed: int) -> Any:
    """Find the nearest neighbours of each cell, itself included.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``.
    n_neighbors
        Neighbours of each cell, counting itself.
    exact
        Whether by scikit-learn, else by nearest-neighbour descent with the options of scib-metrics.
    seed
        Seed of the descent.

    Returns
    -------
    scib_metrics.nearest_neighbors.NeighborsResults
        Neighbours and their distances, both of shape ``(n_cells, n_neighbors)``.
    """
    from scib_metrics.nearest_neighbors import NeighborsResults, pynndescent

    if not exact:
        return pynndescent(codes, n_neighbors=n_neighbors, random_state=seed)
    # The cell itself is left out, because among duplicates it would not come first. Brute force, because trees can take
    # longer for structured codes of ten dimensions.
    search = NearestNeighbors(n_neighbors=n_neighbors - 1, algorithm="brute").fit(codes)
    distances, indices = search.kneighbors()
    # Brute-force distances between duplicates are rounding errors: set what single precision cannot resolve to zero.
    distances[distances < np.finfo(np.float32).eps * np.linalg.norm(codes, axis=1).max()] = 0
    itself = np.arange(len(codes))[:, None]
    return NeighborsResults(
        indices=np.hstack([itself, indices], dtype=np.int32, casting="same_kind"),
        distances=np.hstack([np.zeros(itself.shape), distances], dtype=np.float32, casting="same_kind"),
    )
