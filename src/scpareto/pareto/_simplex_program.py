"""Linear programs over convex combinations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linprog

if TYPE_CHECKING:
    from numpy.typing import NDArray


def best_combination(
    values: NDArray[np.float64], matrix: NDArray[np.float64], bounds: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    r"""Solve :math:`\max_{w \in \Delta} v^\top w` subject to :math:`A w \ge b`.

    Parameters
    ----------
    values
        Value of each vertex, shape ``(m,)``.
    matrix
        Constraint matrix :math:`A`, shape ``(n, m)``.
    bounds
        Lower bounds :math:`b`, shape ``(n,)``; ``-inf`` switches a constraint off.

    Returns
    -------
    Non-negative weights of shape ``(m,)`` that sum to one, or ``None`` if rounding leaves no feasible point. Of
    several best combinations of two vertices it is the one in the middle.
    """
    # Rows of one scale: the solver's tolerances are absolute.
    sizes = np.abs(matrix).max(axis=1)
    rows = np.isfinite(bounds) & (sizes > 0)
    a, b = matrix[rows] / sizes[rows, None], bounds[rows] / sizes[rows]
    v = values / (np.abs(values).max() or 1.0)
    # Each training step solves one program, usually with two objectives: the closed form is a hundred times faster.
    return _on_segment(v, a, b) if len(v) == 2 else _on_simplex(v, a, b)


def _on_segment(v: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """With weights (1 - t, t) every constraint bounds t on one side."""
    slope, rest = a[:, 1] - a[:, 0], b - a[:, 0]
    limits = np.divide(rest, slope, out=np.zeros_like(rest), where=slope != 0)
    low = max(0.0, limits[slope > 0].max(initial=0.0))
    high = min(1.0, limits[slope < 0].min(initial=1.0))
    if low > high or (rest[slope == 0] > 0).any():
        return None
    rise = v[1] - v[0]
    t = high if rise > 0 else low if rise < 0 else (low + high) / 2
    return np.array([1 - t, t])


def _on_simplex(v: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64] | None:
    solution = linprog(-v, A_ub=-a, b_ub=-b, A_eq=np.ones((1, len(v))), b_eq=[1.0], bounds=(0, None), method="highs")
    if solution.x is None:
        return None
    weights = np.maximum(solution.x, 0)
    return weights / weights.sum()
