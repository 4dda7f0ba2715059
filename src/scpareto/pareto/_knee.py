"""The knee of a set of points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pareto._indicators import non_dominated

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def knee_index(points: ArrayLike) -> int:
    """Index of the point from which improving either objective costs much of the other.

    The non-dominated points are scaled to the unit square. The knee is the one that lies farthest, towards the ideal,
    from the line between their ends. Where there is no such point (fewer than three non-dominated points, a front that
    bulges away from the ideal, or more than two objectives) it is the one nearest to the ideal; of equals the first.

    Parameters
    ----------
    points
        Losses, shape ``(n, p)``.

    Examples
    --------
    >>> knee_index([[0, 1], [0.2, 0.3], [0.6, 0.2], [1, 0]])
    1
    """
    array = np.array(points, dtype=np.float64)
    candidates = np.flatnonzero(non_dominated(array))
    if not len(candidates):
        raise ValueError("There are no points to choose from.")
    front = array[candidates]
    ideal, spread = front.min(axis=0), np.ptp(front, axis=0)
    scaled = (front - ideal) / np.where(spread > 0, spread, 1)
    # The ends are (0, 1) and (1, 0), hence the distance to their line is (1 - x - y) / sqrt(2).
    depth = 1 - scaled.sum(axis=1)
    has_knee = front.shape[1] == 2 and depth.max() > 1e-9
    badness = -depth if has_knee else np.linalg.norm(scaled, axis=1)
    # Rounding must not decide between equals.
    return int(candidates[np.argmax(badness <= badness.min() + 1e-9)])
