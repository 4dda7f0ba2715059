"""Estimates of the number of clusters of codes, without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from scpareto.metrics._checks import check_matrix
from scpareto.metrics._cluster_codes import leiden_clusters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

_RESOLUTIONS = tuple(np.round(np.arange(0.2, 1.51, 0.1), 1))
_MAX_CELLS = 5000
_COUNTS = range(2, 31)


@dataclass(frozen=True, eq=False)
class NumberOfClusters:
    """A number of clusters and why it was chosen.

    Attributes
    ----------
    value
        The number.
    reason
        One sentence.
    candidates
        Candidates: numbers of clusters, or resolutions, shape ``(n_candidates,)``.
    scores
        Score of each: the mean silhouette, the number of communities, or the ratio of losses.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.random.default_rng(0).normal(size=(60, 2)) + 20 * np.repeat([0, 1, 2], 20)[:, None]
    >>> estimate = number_of_clusters(codes)
    >>> estimate.value, estimate.reason
    (3, '3 K-means clusters have the largest mean silhouette, 0.9...')
    """

    value: int
    reason: str
    candidates: NDArray[np.float64]
    scores: NDArray[np.float64]


def number_of_clusters(codes: ArrayLike, method: str = "silhouette", *, seed: int = 0) -> NumberOfClusters:
    """Estimate the number of clusters of codes.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``.
    method
        ``"silhouette"``: the number from 2 to 30 whose K-means clusters have the largest mean silhouette, among at most
        5,000 cells. ``"leiden"``: the number of communities that most of the resolutions from 0.2 to 1.5 give.
    seed
        Seed.

    Returns
    -------
    NumberOfClusters
        The number, the reason, and the candidates with their scores.

    Raises
    ------
    ValueError
        If the method is unknown, codes are not finite, or there are fewer than four cells.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.random.default_rng(0).normal(size=(150, 2)) + 20 * np.repeat([0, 1, 2], 50)[:, None]
    >>> number_of_clusters(codes, "silhouette").value
    3
    """
    if method not in ESTIMATORS:
        raise ValueError(f"`method` is {method!r}; choose one of {', '.join(ESTIMATORS)}.")
    z = check_matrix(codes, "codes")
    if len(z) < 4:
        raise ValueError(f"there are only {len(z)} cells; give at least 4.")
    with threadpool_limits(limits=1):
        return ESTIMATORS[method](z, seed)


def number_before_drop(counts: Sequence[int], ratios: Sequence[float]) -> NumberOfClusters:
    """Choose the last number of clusters before the ratio of the training to the held-out loss falls most steeply.

    Parameters
    ----------
    counts
        Numbers of clusters, ascending, shape ``(n_candidates,)``.
    ratios
        Clustering loss of training cells divided by that of held-out cells, for each.

    Returns
    -------
    NumberOfClusters
        The number, the reason, and the candidates with their scores.

    Raises
    ------
    ValueError
        If there are fewer than two.
    """
    if len(counts) < 2:
        raise ValueError(f"`counts` has {len(counts)} entries; a drop needs at least two.")
    falls = np.diff(np.asarray(ratios, dtype=float))
    position = int(np.argmin(falls))
    reason = (
        f"the ratio of training to held-out clustering loss falls most after {counts[position]} clusters, from "
        f"{ratios[position]:.3f} to {ratios[position + 1]:.3f}"
    )
    return NumberOfClusters(
        int(counts[position]), reason, np.asarray(counts, dtype=float), np.asarray(ratios, dtype=float)
    )


def _by_silhouette(z: NDArray[np.float64], seed: int) -> NumberOfClusters:
    if len(z) > _MAX_CELLS:
        z = z[np.sort(np.random.default_rng(seed).choice(len(z), _MAX_CELLS, replace=False))]
    counts = [k for k in _COUNTS if k < len(z)]
    scores = []
    for k in counts:
        clusters = KMeans(k, n_init=3, random_state=seed).fit_predict(z)
        scores.append(silhouette_score(z, clusters) if len(np.unique(clusters)) > 1 else -1.0)
    best = int(np.argmax(scores))
    reason = f"{counts[best]} K-means clusters have the largest mean silhouette, {scores[best]:.3f}"
    return NumberOfClusters(counts[best], reason, np.array(counts, dtype=float), np.array(scores))


def _by_leiden(z: NDArray[np.float64], seed: int) -> NumberOfClusters:
    n_communities = np.array([leiden_clusters(z, seed, resolution=float(r)).max() + 1 for r in _RESOLUTIONS])
    # A single community is no clustering; of equally frequent numbers the smaller one.
    numbers, times = np.unique(np.maximum(n_communities, 2), return_counts=True)
    value = int(numbers[np.argmax(times)])
    reason = f"{times.max()} of {len(_RESOLUTIONS)} Leiden resolutions give {value} communities"
    return NumberOfClusters(value, reason, np.array(_RESOLUTIONS, dtype=float), n_communities.astype(float))


ESTIMATORS: dict[str, Callable[[NDArray[np.float64], int], NumberOfClusters]] = {
    "silhouette": _by_silhouette,
    "leiden": _by_leiden,
}
"""Estimators from codes alone, by name."""
