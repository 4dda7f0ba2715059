"""Mutual nearest neighbours of two sets of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from scpareto._runtime import keep_torch_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_EXACT_CELLS = 20_000


def find_neighbors(queries: NDArray, cells: NDArray, k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the nearest cells of each query, the nearest first.

    Parameters
    ----------
    queries
        Shape ``(n_queries, d)``.
    cells
        Shape ``(n_cells, d)``.
    k
        Number of neighbours; all cells if there are fewer.

    Returns
    -------
    Indices into ``cells`` and Euclidean distances, each of shape ``(n_queries, k)``. Exact up to 20,000 cells, by
    nearest-neighbour descent beyond.
    """
    k = min(k, len(cells))
    if len(cells) <= MAX_EXACT_CELLS:
        distances, indices = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(cells).kneighbors(queries)
        return indices, distances
    from pynndescent import NNDescent

    with keep_torch_threads():
        index = NNDescent(cells, n_neighbors=max(k, 30), random_state=0)
        indices, distances = index.query(queries, k=k)
    return indices.astype(np.int64), distances.astype(np.float64)


def find_mutual_pairs(
    a_to_b: NDArray[np.int64], b_to_a: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find pairs of cells that are neighbours of each other.

    Parameters
    ----------
    a_to_b
        Neighbours in B of each cell of A, shape ``(n_a, k)``.
    b_to_a
        Neighbours in A of each cell of B, shape ``(n_b, k)``.

    Returns
    -------
    Rows in A and rows in B, shape ``(n_pairs,)`` each, ordered by the row in A and then in B.
    """
    shape = (len(a_to_b), len(b_to_a))
    forward = _make_graph(a_to_b, shape)
    backward = _make_graph(b_to_a, shape[::-1])
    mutual = forward.multiply(backward.T).tocsr().tocoo()
    order = np.lexsort((mutual.col, mutual.row))
    return mutual.row[order].astype(np.int64), mutual.col[order].astype(np.int64)


def _make_graph(neighbors: NDArray[np.int64], shape: tuple[int, int]) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(neighbors)), neighbors.shape[1])
    return sparse.csr_matrix((np.ones(neighbors.size, dtype=bool), (rows, neighbors.ravel())), shape=shape)
