"""Weights of a cell's donors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_BISECTIONS = 60


def compute_softmax_weights(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Weights proportional to :math:`\exp(-d^2)`.

    Parameters
    ----------
    distance
        Distance of each donor, infinite where there is none, shape ``(n_cells, n_donors)``.

    Returns
    -------
    Weights that sum to one over the donors of each cell; zero where there are none.
    """
    square = distance**2
    return _normalise(np.exp(-(square - _nearest(square))))


def compute_entropy_weights(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Weights proportional to :math:`\exp(-\lambda_j (d - d_{\min}))`, as sharp as the number of donors allows.

    Parameters
    ----------
    distance
        Distance of each donor, infinite where there is none, shape ``(n_cells, n_donors)``.

    Returns
    -------
    Weights that sum to one over the donors of each cell; zero where there are none.

    Notes
    -----
    For :math:`k` donors :math:`\lambda_j` solves :math:`\sum_i \exp(-\lambda_j (d_{ji} - d_{j\min})) = \log_2 k`, as
    the local scale of UMAP does. Two donors or fewer leave the nearest alone.
    """
    excess = distance - _nearest(distance)
    target = np.log2(np.maximum(np.isfinite(distance).sum(axis=1), 2))
    # The sum falls from k at 0 to the number of nearest donors at infinity.
    scale = np.where(np.isfinite(excess), excess, 0.0).max(axis=1)
    low, high = np.zeros(len(excess)), 1e4 / np.where(scale > 0, scale, 1.0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = np.exp(-middle[:, None] * excess).sum(axis=1) > target
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return _normalise(np.exp(-high[:, None] * excess))


WEIGHTS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "softmax": compute_softmax_weights,
    "entropy": compute_entropy_weights,
}


def _nearest(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    nearest = distance.min(axis=1, keepdims=True)
    return np.where(np.isfinite(nearest), nearest, 0.0)


def _normalise(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weights.sum(axis=1, keepdims=True)
    return weights / np.where(total > 0, total, 1.0)
