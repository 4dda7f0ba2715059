"""Saved distance: how much nearer neighbours are to each other than random cells, and the influence of each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse


def chance_distance(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean squared distance of each cell to all cells, shape ``(n_cells,)``."""
    square = (scores**2).sum(axis=1)
    return square + square.mean() - 2 * scores @ scores.mean(axis=0)


def influence_on_saved(
    scores: NDArray[np.float64], near: sparse.csr_matrix, targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    r"""Return the influence of each cell on weighted sums of the saved distance, shape ``(n_cells, n_targets)``.

    Parameters
    ----------
    scores
        Scores of the cells, shape ``(n_cells, n_components)``.
    near
        Weights of the neighbours of each cell. Rows add up to 1, or to 0 for a cell without neighbours, which saves
        nothing.
    targets
        Weights :math:`w` of the cells in each sum, shape ``(n_cells, n_targets)``.

    Notes
    -----
    With squared distances :math:`D`, their means :math:`\bar D_i` to all cells and :math:`d_i` to the neighbours of
    cell :math:`i`, each sum is :math:`\sum_i w_i (\bar D_i - d_i)`. The influence of cell :math:`j` is its own saved
    distance plus its effect as a cell that others are compared with:

    .. math::
        w_j (\bar D_j - d_j)
        + \sum_i w_i \left[\tfrac1n (D_{ij} - \bar D_i) - \mathrm{near}_{ij} (D_{ij} - d_i)\right] .

    The second term adds up to zero over the cells. It does not change the sum, only its variance when cells are
    resampled, because cells that share neighbours do not vary independently.
    """
    square, chance = (scores**2).sum(axis=1), chance_distance(scores)
    connected = np.diff(near.indptr) > 0
    distance = square - 2 * (scores * (near @ scores)).sum(axis=1) + near @ square
    distance = np.where(connected, distance, chance)
    back = near.T.tocsr()
    influence = np.empty((len(scores), targets.shape[1]))
    for column, weight in enumerate(targets.T):
        w = weight * connected
        among_all = w @ square - 2 * scores @ (w @ scores) + square * w.sum() - w @ chance
        among_neighbors = back @ (w * (square - distance)) + square * (back @ w)
        among_neighbors -= 2 * (scores * (back @ (w[:, None] * scores))).sum(axis=1)
        influence[:, column] = w * (chance - distance) + among_all / len(scores) - among_neighbors
    return influence
