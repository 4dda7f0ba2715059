"""The knee of a set of points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pareto._indicators import non_dominated

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def knee_index(points: ArrayLike) -> int:
    """Index of the point from which improving any objectives costs more of the others.

    The non-dominated points are scaled to the unit cube. The knee is the point with the smallest sum of scaled losses:
    going from there to any other point, what is lost exceeds what is gained. With two objectives it lies farthest,
    towards the ideal, from the line between the extremes of the front. Where a point that is best in some objective has
    as small a sum (fewer than three non-dominated points, or a front that bulges away from the ideal), it is the point
    nearest to the ideal; of equals the first.

    Parameters
    ----------
    points
        Losses, shape ``(n, p)``.

    Raises
    ------
    ValueError
        If there are no points.

    References
    ----------
    Das (1999), On characterizing the "knee" of the Pareto curve based on normal-boundary intersection, Structural
    Optimization 18. Rachmawati & Srinivasan (2009), Multiobjective evolutionary algorithm with controllable focus on
    the knees of the Pareto front, IEEE Trans. Evol. Comput. 13.

    Examples
    --------
    >>> knee_index([[0, 1], [0.2, 0.3], [0.6, 0.2], [1, 0]])
    1
    """
    array = np.array(points, dtype=np.float64)
    candidates = np.flatnonzero(non_dominated(array))
    if not len(candidates):
        raise ValueError("There are no points to choose from.")
    if len(candidates) == 1:
        return int(candidates[0])
    front = array[candidates]
    ideal, spread = front.min(axis=0), np.ptp(front, axis=0)
    varies = spread > 0
    scaled = (front - ideal)[:, varies] / spread[varies]
    sums = scaled.sum(axis=1)
    best_of_some = scaled.min(axis=1) <= 0
    has_knee = sums.min() < sums[best_of_some].min() - 1e-9
    badness = sums if has_knee else np.linalg.norm(scaled, axis=1)
    # Rounding must not decide between equals.
    return int(candidates[np.argmax(badness <= badness.min() + 1e-9)])
