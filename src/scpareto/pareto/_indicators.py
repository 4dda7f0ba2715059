"""Numbers that describe a set of points; every objective is minimised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pymoo.indicators.hv import HV
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# The published grids and reference points keep this distance from the outermost points.
MARGIN = 0.001


def non_dominated(points: ArrayLike) -> NDArray[np.bool_]:
    """Which points no other point beats.

    A point is removed if another is at least as good in every objective. Of equal points the first stays.

    Parameters
    ----------
    points
        Losses, shape ``(n, p)``.

    Returns
    -------
    Boolean array of shape ``(n,)``.

    Examples
    --------
    >>> non_dominated([[0, 1], [1, 0], [1, 1], [0, 1]])
    array([ True,  True, False, False])
    """
    array = _check_points(points)
    keep = np.zeros(len(array), dtype=bool)
    if len(array):
        # Sorting keeps all equal points, so only distinct ones are sorted; unique returns the first of each.
        distinct, first = np.unique(array, axis=0, return_index=True)
        keep[first[NonDominatedSorting().do(distinct, only_non_dominated_front=True)]] = True
    return keep


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Volume that is dominated by the points and bounded by a reference point.

    Parameters
    ----------
    points
        Losses, shape ``(n, p)``. Points that do not beat the reference in every objective add nothing.
    reference
        Reference point, shape ``(p,)``. Volumes compare only when they share it.

    Examples
    --------
    >>> hypervolume([[0, 1], [1, 0]], reference=[2, 2])
    3.0
    """
    array = _check_points(points)
    corner = _check_corner("reference", reference, array.shape[1])
    inside = array[(array < corner).all(axis=1)]
    return float(HV(ref_point=corner)(inside)) if len(inside) else 0.0


def number_of_distinct_choices(
    points: ArrayLike, width: float, *, origin: ArrayLike | None = None, upper: ArrayLike | None = None
) -> int:
    """Count the grid cells in which there is a non-dominated point.

    Parameters
    ----------
    points
        Losses, shape ``(n, p)``.
    width
        Side of a cell.
    origin
        Lower corner of the grid; by default just below the points. Give one corner to sets that are compared.
    upper
        Upper corner of the grid, where the last cells end; by default at the points' maxima.

    References
    ----------
    :cite:p:`Li2022`.

    Examples
    --------
    >>> number_of_distinct_choices([[0, 1], [0.51, 0.52], [0.52, 0.51], [1, 0]], width=0.05)
    3
    """
    array = _check_points(points)
    if not (np.isfinite(width) and width > 0):
        raise ValueError(f"width must be a positive number, got {width!r}.")
    if not len(array):
        return 0
    low = array.min(axis=0) - MARGIN if origin is None else _check_corner("origin", origin, array.shape[1])
    high = array.max(axis=0) if upper is None else _check_corner("upper", upper, array.shape[1])
    if (array < low).any() or (array > high).any():
        raise ValueError(f"Points must lie between origin {low.tolist()} and upper {high.tolist()}.")
    cells = np.floor((array[non_dominated(array)] - low) / width)
    last = np.maximum(np.ceil((high - low) / width) - 1, 0)
    return len(np.unique(np.minimum(cells, last), axis=0))


def _check_points(points: ArrayLike) -> NDArray[np.float64]:
    array = np.array(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] < 1:
        raise ValueError(f"points must have shape (n, p), got {array.shape}.")
    if np.isnan(array).any():
        raise ValueError(f"points must not be NaN, got {array[np.isnan(array).any(axis=1)][0].tolist()}.")
    return array


def _check_corner(name: str, values: ArrayLike, n_objectives: int) -> NDArray[np.float64]:
    corner = np.array(values, dtype=np.float64)
    if corner.shape != (n_objectives,) or not np.isfinite(corner).all():
        raise ValueError(f"{name} must be {n_objectives} finite numbers, got {corner.tolist()}.")
    return corner
