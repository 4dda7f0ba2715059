"""Nearest other cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.neighbors import NearestNeighbors

if TYPE_CHECKING:
    from numpy.typing import NDArray


def nearest_others(points: NDArray[np.float64], rows: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Find the indices, shape ``(len(rows), k)``, of the ``k`` nearest other points of some rows of ``points``.

    Raises
    ------
    ValueError
        If there are no more points than ``k``.
    """
    if len(points) <= k:
        raise ValueError(f"`codes` has {len(points)} cells; {k} neighbours need at least {k + 1}.")
    nearest = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points[rows], return_distance=False)
    # A stable sort moves the cell itself to the end and keeps the order of the others, also with duplicates.
    is_self = nearest == rows[:, None]
    return np.take_along_axis(nearest, np.argsort(is_self, axis=1, kind="stable"), axis=1)[:, :k]
