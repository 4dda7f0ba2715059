"""Chains of points of a front that differ significantly in a measured quantity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def falling_steps(value: ArrayLike, half_width: ArrayLike, certain: ArrayLike | None = None) -> list[int]:
    r"""Longest chain of points, in order, of which each lies certainly below the one before it.

    Parameters
    ----------
    value
        Measured values in the order of the points, shape ``(n,)``; points without one (NaN) are left out.
    half_width
        Half of the width of their 95 % intervals, shape ``(n,)``.
    certain
        Whether each point (row) lies certainly above each other one (column), shape ``(n, n)``, from paired
        differences; None to compute it from the intervals.

    Returns
    -------
    Indices of the points. Of chains of equal length the one that falls farthest; empty if nothing was measured.

    Notes
    -----
    Point :math:`j` lies certainly below point :math:`i` if :math:`v_i - v_j > \sqrt{h_i^2 + h_j^2}`, the bound of a
    two-sided test at 5 % for independent, normal errors.

    Examples
    --------
    >>> falling_steps([0.5, 0.45, 0.2, 0.25, 0.05], [0.1] * 5)
    [0, 2, 4]
    """
    v, h = np.asarray(value, dtype=np.float64), np.asarray(half_width, dtype=np.float64)
    measured = np.flatnonzero(np.isfinite(v) & np.isfinite(h))
    above = v[:, None] - v[None, :] > np.hypot(h[:, None], h[None, :]) if certain is None else np.asarray(certain)
    # the best chain that ends at each point: its length, its highest value, and the points
    chains: dict[int, tuple[int, float, list[int]]] = {}
    for j in measured:
        before = [chains[i] for i in measured[measured < j] if above[i, j]]
        length, first, places = max(before, key=lambda chain: chain[:2], default=(0, v[j], []))
        chains[int(j)] = (length + 1, first, [*places, int(j)])
    ends = ((length, first - v[places[-1]], places) for length, first, places in chains.values())
    return max(ends, key=lambda chain: chain[:2], default=(0, 0.0, []))[2]
