"""Number of cells that are nearer to a cell than its k-th neighbour of the same label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Candidates per cell of the approximate search. A cell without enough of its own label among them is counted exactly.
_N_CANDIDATES = 60
# In units of the spread of the codes; cells this close are the same in single precision.
_DUPLICATE_DISTANCE = 1e-6


def exact_label_ranks(
    codes: NDArray[np.float64], label: NDArray[np.int64], k: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count, with k-d trees, the cells nearer to each cell of ``rows`` than its ``k``-th neighbour of its label.

    The cell itself counts. ``k`` has one value per cell, equal for cells of one label.
    """
    radius = np.empty(len(rows))
    for s in np.unique(label[rows]):
        members, of_label = codes[label == s], label[rows] == s
        # One more than k because the nearest member of a cell is the cell itself.
        radius[of_label] = cKDTree(members).query(codes[rows[of_label]], k=[k[rows[of_label]][0] + 1])[0][:, 0]
    return cKDTree(codes).query_ball_point(codes[rows], np.nextafter(radius, 0), return_length=True)


def approximate_label_ranks(
    codes: NDArray[np.float64], label: NDArray[np.int64], k: NDArray[np.int64], *, seed: int
) -> NDArray[np.int64]:
    """Count the same for every cell from approximate neighbours, found by nearest-neighbour descent.

    A cell is counted exactly if fewer than ``k`` of the candidates share its label, or if all candidates are duplicates
    of it, because the search returns an arbitrary subset of duplicates.
    """
    cells = np.arange(len(codes))
    if len(codes) <= _N_CANDIDATES + 1:
        return exact_label_ranks(codes, label, k, cells)
    # Imported here because it takes seconds and small data do not need it.
    from pynndescent import NNDescent

    # Scaled because the search runs in single precision, where squares of small codes vanish.
    search = NNDescent(codes / codes.std(), n_neighbors=_N_CANDIDATES + 1, random_state=seed)
    near, distance = search.neighbor_graph
    # With duplicates, a cell may be missing from its own row or not come first; -1 marks a neighbour not found.
    other = near != cells[:, None]
    same = np.cumsum(other & (label[near] == label[:, None]), axis=1)
    ranks = np.cumsum(other, axis=1)[cells, np.argmax(same >= k[:, None], axis=1)]
    is_uncertain = (same[:, -1] < k) | (near < 0).any(axis=1) | (distance[:, -1] < _DUPLICATE_DISTANCE)
    uncertain_cells = np.flatnonzero(is_uncertain)
    if len(uncertain_cells):
        ranks[uncertain_cells] = exact_label_ranks(codes, label, k, uncertain_cells)
    return ranks
