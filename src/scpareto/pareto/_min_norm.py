"""Shortest vectors in convex hulls, from inner products only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Rounding error, in units of the numbers that are subtracted, below which a gap in the optimality test is noise.
_ROUNDING = 1e-14


def min_norm_weights(gramian: ArrayLike) -> NDArray[np.float64]:
    r"""Weights of the shortest convex combination of vectors: :math:`\arg\min_{w \in \Delta} w^\top G w`.

    Parameters
    ----------
    gramian
        Inner products of the vectors, shape ``(m, m)``.

    Returns
    -------
    Non-negative weights of shape ``(m,)`` that sum to one.

    Notes
    -----
    Exact up to rounding after finitely many steps (the active-set method of Wolfe 1976). With the gradients of
    several objectives as vectors this is the problem of multiple-gradient descent.

    References
    ----------
    Wolfe (1976), Finding the nearest point in a polytope, Mathematical Programming 11. :cite:p:`Desideri2012`. Sener &
    Koltun (2018), Multi-task learning as multi-objective optimization, NeurIPS.

    Examples
    --------
    >>> min_norm_weights([[1.0, 0.0], [0.0, 3.0]])
    array([0.75, 0.25])
    """
    q = _check_gramian(gramian)
    squares = np.diag(q)
    if squares.min() <= 0:
        # A zero vector is the shortest; several share the weight, so that their order does not matter.
        zeros = squares <= 0
        return zeros / zeros.sum()
    q = q / squares.max()
    lengths = np.sqrt(np.diag(q))
    weights = np.zeros(len(q))
    weights[np.argmin(lengths)] = 1
    # Wolfe's method never visits a support twice; the bound only ends a cycle caused by rounding.
    for _ in range(100 * len(q)):
        slopes = q @ weights
        size = (weights * lengths).max()
        gaps = (weights @ slopes - slopes) / (size * (size + lengths))
        entering = int(np.argmax(gaps))
        if gaps[entering] <= _ROUNDING or weights[entering] > 0:
            break
        weights = _minimise_with(q, lengths, weights, entering)
    return weights / weights.sum()


def min_norm_combination(gramian: ArrayLike, vertices: ArrayLike) -> NDArray[np.float64]:
    r"""Shortest point of the hull of ``vertices``: :math:`\arg\min_{\alpha \in P} \alpha^\top G \alpha`.

    Each vertex is a combination of the objectives, so :math:`\alpha^\top G \alpha` is the squared length of the
    same combination of their gradients. Only inner products of the p gradients are needed, whatever the number of
    parameters and of vertices.

    Parameters
    ----------
    gramian
        Inner products of the objective gradients, shape ``(p, p)``.
    vertices
        Vertices of the polytope, shape ``(m, p)``.

    Returns
    -------
    The combination ``vertices.T @ w`` of shape ``(p,)``, for the minimising ``w`` on the simplex.

    Notes
    -----
    With two objectives the polytope is a polygon. If it leaves the origin outside, the minimum is on an edge, so the
    best of all pairs of vertices is exact; if it holds the origin inside, the minimum is there. More objectives use
    :func:`min_norm_weights`.

    Examples
    --------
    Two orthogonal gradients of squared lengths 1 and 3, mixed freely, and with at least half of the second:

    >>> from scpareto.pareto import min_norm_combination
    >>> gramian = [[1.0, 0.0], [0.0, 3.0]]
    >>> min_norm_combination(gramian, [[1.0, 0.0], [0.0, 1.0]])
    array([0.75, 0.25])
    >>> min_norm_combination(gramian, [[0.5, 0.5], [0.0, 1.0]])
    array([0.5, 0.5])
    """
    g = _check_gramian(gramian)
    v = np.array(vertices, dtype=np.float64)
    if v.ndim != 2 or len(v) < 1 or v.shape[1] != len(g):
        raise ValueError(f"vertices must have shape (m, {len(g)}) to match the Gramian, got {v.shape}.")
    if not np.isfinite(v).all():
        raise ValueError("vertices must be finite.")
    if len(v) == 1:
        return v[0]
    if len(g) > 2:
        return v.T @ min_norm_weights(v @ g @ v.T)
    return np.zeros(2) if _encloses_origin(v) else _best_pair(v @ g @ v.T, v)


def _check_gramian(gramian: ArrayLike) -> NDArray[np.float64]:
    g = np.array(gramian, dtype=np.float64)
    if g.ndim != 2 or g.shape[0] != g.shape[1] or g.shape[0] < 1:
        raise ValueError(f"A Gramian is a square matrix, got shape {g.shape}.")
    if not np.isfinite(g).all():
        raise ValueError("The Gramian must be finite.")
    return (g + g.T) / 2


def _encloses_origin(vertices: NDArray[np.float64]) -> bool:
    """Whether the origin is strictly inside a polygon: seen from it, no gap between vertices spans half a turn."""
    angles = np.sort(np.arctan2(vertices[:, 1], vertices[:, 0]))
    gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
    # On the border (a gap of exactly half a turn) the pairs already find the origin.
    return bool(len(vertices) > 2 and vertices.any(axis=1).all() and gaps.max() < np.pi * (1 - _ROUNDING))


def _best_pair(q: NDArray[np.float64], vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shortest point on any segment between two vertices, each in closed form."""
    first, second = np.triu_indices(len(q), 1)
    a, b, c = q[first, first], q[second, second], q[first, second]
    spread = a + b - 2 * c
    # Where the two vectors coincide any weight will do; one half does not depend on their order.
    apart = spread > _ROUNDING * (a + b)
    weight = np.clip(np.divide(b - c, spread, out=np.full_like(a, 0.5), where=apart), 0, 1)
    value = weight**2 * a + 2 * weight * (1 - weight) * c + (1 - weight) ** 2 * b
    best = int(np.argmin(value))
    return weight[best] * vertices[first[best]] + (1 - weight[best]) * vertices[second[best]]


def _minimise_with(
    q: NDArray[np.float64], lengths: NDArray[np.float64], weights: NDArray[np.float64], entering: int
) -> NDArray[np.float64]:
    """Minimise over the support plus one vector, dropping vectors whose weight would turn negative."""
    weights = weights.copy()
    support = np.union1d(np.flatnonzero(weights), entering)
    while True:
        current, target = weights[support], _affine_minimiser(q, lengths, support)
        falling = target <= 0
        if not falling.any():
            weights[support] = target
            return weights
        steps = current[falling] / np.maximum(current[falling] - target[falling], np.finfo(float).tiny)
        moved = current + steps.min() * (target - current)
        # Exactly zero, or rounding would leave it in the support for ever.
        moved[np.flatnonzero(falling)[np.argmin(steps)]] = 0
        weights[support] = np.maximum(moved, 0)
        support = support[weights[support] > 0]


def _affine_minimiser(
    q: NDArray[np.float64], lengths: NDArray[np.float64], support: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Weights that sum to one and minimise the length, their signs free."""
    # Vectors of length one keep the system well conditioned when the gradients differ by orders of magnitude.
    size = lengths[support]
    unit = size.min() / size
    n = len(support)
    system = np.zeros((n + 1, n + 1))
    system[:n, :n] = q[np.ix_(support, support)] / np.outer(size, size)
    system[:n, n] = system[n, :n] = unit
    solution = np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[0][:n] * unit
    return solution / solution.sum()
