"""Preferences (points on the simplex) and the rays of Pareto MTL that belong to them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

# Preferences may be float32 tensors, whose sum is one only to single precision.
_SUM_TOLERANCE = 1e-4


def preference_vectors(n_points: int, n_objectives: int = 2, kind: str = "equal_angle") -> NDArray[np.float64]:
    """Grid of preferences, ordered from uncorrected to most strongly corrected.

    A preference holds the importance of each objective, the generative loss first.

    Parameters
    ----------
    n_points
        Number of preferences.
    n_objectives
        Number of objectives.
    kind
        ``"equal_angle"``: the rays on which Pareto MTL aims (inverse preferences) are spread evenly over the quadrant,
        both extremes included, as in Lin et al. (2019) and Li et al. (2022). ``"interior"``: the nuisance importances
        :math:`i / (K + 1)`, :math:`i = 1 .. K`, of the scalarisation in Li et al. (2022). With three or more
        objectives both use evenly spread reference directions, shrunk into the inside of the simplex, for the rays
        and for the preferences respectively: on its border many preferences share one ray.

    Returns
    -------
    Array of shape ``(n_points, n_objectives)`` whose rows sum to one.

    Raises
    ------
    ValueError
        If there are too few points or objectives, or ``kind`` is unknown.

    References
    ----------
    :cite:p:`Lin2019`, :cite:p:`Li2022`.

    Examples
    --------
    >>> preference_vectors(3)
    array([[1. , 0. ],
           [0.5, 0.5],
           [0. , 1. ]])
    """
    if n_objectives < 2:
        raise ValueError(f"n_objectives must be at least 2, got {n_objectives}.")
    # Fewer directions than objectives cannot cover all of them.
    if n_points < n_objectives:
        raise ValueError(f"n_points must be at least {n_objectives} for {n_objectives} objectives, got {n_points}.")
    if kind not in _GRIDS:
        raise ValueError(f"Unknown kind of preference grid {kind!r}; choose from {sorted(_GRIDS)}.")
    return _GRIDS[kind](n_points, n_objectives)


def preference_rays(preferences: ArrayLike) -> NDArray[np.float64]:
    r"""Directions in loss space at which Pareto MTL aims: :math:`c \propto 1 / \text{preference}`, of unit length.

    An important objective is to end with a small loss. Zero importances are taken as limits: the preference
    ``(1, 0)`` has the ray ``(0, 1)``.

    Parameters
    ----------
    preferences
        Preferences, shape ``(n, p)``.

    Returns
    -------
    Rays of the same shape.

    Examples
    --------
    >>> preference_rays([[1.0, 0.0]])
    array([[0., 1.]])
    """
    rays = _reciprocals(check_preferences(preferences))
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


def check_preferences(preferences: ArrayLike, n_objectives: int | None = None) -> NDArray[np.float64]:
    """Check preferences and return them as rows that sum to one.

    Parameters
    ----------
    preferences
        Preferences, shape ``(n, p)``.
    n_objectives
        Number of objectives that is required, if any.

    Returns
    -------
    Float64 array of shape ``(n, p)``.

    Raises
    ------
    ValueError
        If the shape is wrong, or a row is not a point on the simplex.
    """
    grid = np.array(preferences, dtype=np.float64)
    if grid.ndim != 2 or grid.shape[0] < 1 or grid.shape[1] < 2:
        raise ValueError(f"Preferences must be an array of shape (n, p) with p >= 2, got shape {grid.shape}.")
    if n_objectives is not None and grid.shape[1] != n_objectives:
        raise ValueError(f"A preference needs {n_objectives} numbers, one per objective, got {grid.shape[1]}.")
    totals = grid.sum(axis=1, keepdims=True)
    wrong = ~np.isfinite(grid).all(axis=1) | (grid < 0).any(axis=1) | (np.abs(totals[:, 0] - 1) > _SUM_TOLERANCE)
    if wrong.any():
        raise ValueError(f"A preference is non-negative and sums to 1, got {grid[wrong][0].tolist()}.")
    return grid / totals


def _equal_angle(n_points: int, n_objectives: int) -> NDArray[np.float64]:
    if n_objectives > 2:
        preferences = _reciprocals(_inner_directions(n_points, n_objectives))
        return _sort_preferences(preferences / preferences.sum(axis=1, keepdims=True))
    angles = np.linspace(np.pi / 2, 0, n_points)
    preferences = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    preferences /= preferences.sum(axis=1, keepdims=True)
    # cos(pi / 2) is not exactly zero in floating point, but the extremes must be exact.
    preferences[0], preferences[-1] = (1, 0), (0, 1)
    return preferences


def _interior(n_points: int, n_objectives: int) -> NDArray[np.float64]:
    if n_objectives > 2:
        return _sort_preferences(_inner_directions(n_points, n_objectives))
    nuisance = np.arange(1, n_points + 1) / (n_points + 1)
    return np.stack([1 - nuisance, nuisance], axis=1)


_GRIDS: dict[str, Callable[[int, int], NDArray[np.float64]]] = {"equal_angle": _equal_angle, "interior": _interior}


@lru_cache(maxsize=32)  # spreading the directions takes seconds
def _inner_directions(n_points: int, n_objectives: int) -> NDArray[np.float64]:
    """Evenly spread points of the simplex, none on its border."""
    from pymoo.util.ref_dirs import get_reference_directions

    directions = np.asarray(get_reference_directions("energy", n_objectives, n_points, seed=1), dtype=np.float64)
    # This shrinkage turns the grid i / (K - 1) of two objectives into i / (K + 1).
    shrinkage = (n_points - 1) / (n_points + 1)
    return shrinkage * directions + (1 - shrinkage) / n_objectives


def _sort_preferences(preferences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sort rows by falling importance of the generative loss; ties by the next objectives."""
    keys = np.round(preferences, 9)
    return preferences[np.lexsort(-keys.T[::-1])]


def _reciprocals(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """One over each row, up to a factor; the limit where there are zeros."""
    smallest = rows.min(axis=1, keepdims=True)
    return np.divide(smallest, rows, out=np.ones_like(rows), where=rows > smallest)
