"""Assign cells to strata, groups of similar cells that are the pseudo-bulk samples of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.cluster import KMeans

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_CELLS_PER_STRATUM = 30
_MAX_STRATA = 1000


def _sign_hash(
    scores: NDArray[np.float64], unit: NDArray[np.float64], n_strata: int | None, seed: int
) -> NDArray[np.int64]:
    """Assign strata by the signs of the first coordinates, one bit for each."""
    n_bits = min(5 if n_strata is None else int(np.ceil(np.log2(n_strata))), scores.shape[1])
    return (scores[:, :n_bits] > 0) @ (2 ** np.arange(n_bits))


def _kmeans(
    scores: NDArray[np.float64], unit: NDArray[np.float64], n_strata: int | None, seed: int
) -> NDArray[np.int64]:
    """Assign strata by K-means on coordinates at unit length, in which neighbours are searched too."""
    n_clusters = n_strata or int(np.clip(len(unit) // _CELLS_PER_STRATUM, 1, _MAX_STRATA))
    return KMeans(min(n_clusters, len(unit)), n_init=1, random_state=seed).fit_predict(unit)


STRATA: dict[str, Callable[..., NDArray[np.int64]]] = {"sign_hash": _sign_hash, "kmeans": _kmeans}


def assign_strata(
    scores: NDArray[np.float64], unit: NDArray[np.float64], *, strata: str, n_strata: int | None, seed: int
) -> NDArray[np.int64]:
    """Return the number of the stratum of each cell.

    Parameters
    ----------
    scores
        Coordinates, shape ``(n_cells, n_components)``, the first with the largest variance.
    unit
        The same at unit length.
    strata
        Key of :data:`STRATA`.
    n_strata
        Number of strata; None for 32 (``"sign_hash"``) or one for each 30 cells, 1,000 at most (``"kmeans"``). Sign
        hashing uses the next power of two.
    seed
        Seed of K-means.

    Returns
    -------
    Numbers from 0 without gaps, shape ``(n_cells,)``.
    """
    return np.unique(STRATA[strata](scores, unit, n_strata, seed), return_inverse=True)[1]
