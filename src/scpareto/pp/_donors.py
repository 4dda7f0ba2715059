"""Find donors: similar cells of other batches, which show what a cell would look like if measured there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from scpareto.pp._weights import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_MAX_EXACT_CELLS = 20_000
# An exact search in a batch of this size is fast, for any number of queries.
_MAX_EXACT_BATCH = 4_096


def find_donors(
    unit: NDArray[np.float64],
    batch: NDArray[np.int64],
    *,
    n_neighbors: int,
    n_mutual: int | None,
    weights: str,
    approximate: bool | None,
    seed: int,
    caliper: float | None = None,
) -> Iterator[tuple[int, int, sparse.csr_matrix]]:
    """Find donors for every ordered pair of batches.

    Parameters
    ----------
    unit
        Coordinates of the cells, shape ``(n_cells, n_components)``.
    batch
        Batch number of each cell.
    n_neighbors
        Number of nearest cells of each other batch that are candidates for a cell.
    n_mutual
        A candidate is accepted if the cell is among this number of its nearest cells in turn; None accepts all.
    weights
        Key of :data:`scpareto.pp._weights.WEIGHTS`.
    approximate
        Whether to search by nearest-neighbour descent; None does so above 20,000 cells.
    seed
        Seed of the approximate search.
    caliper
        A donor is accepted only within this multiple of the distance within batches: that of the cell, or of the donor,
        to the ``n_neighbors``-th nearest cell of its own batch, whichever is smaller. None accepts any distance.

    Yields
    ------
    Batch of the cells, batch of their donors, and the weights: a CSR matrix of shape
    ``(cells of the first batch, cells of the second batch)`` in the order of the data. Rows sum to one, or are empty if
    no donor was accepted.
    """
    cells = [np.flatnonzero(batch == b) for b in range(batch.max() + 1)]
    approximate_search = len(batch) > _MAX_EXACT_CELLS if approximate is None else approximate
    searches = [
        _search(unit[rows], approximate_search and (approximate is True or len(rows) > _MAX_EXACT_BATCH), seed)
        for rows in cells
    ]
    n_searched = max(n_neighbors, n_mutual or 0)
    home_distances = (
        None
        if caliper is None
        else [_compute_home_distances(s, unit[rows], n_neighbors) for s, rows in zip(searches, cells, strict=True)]
    )
    for first in range(len(cells)):
        for second in range(first):
            forward = _query(searches[second], unit[cells[first]], min(n_searched, len(cells[second])))
            backward = _query(searches[first], unit[cells[second]], min(n_searched, len(cells[first])))
            sizes = len(cells[first]), len(cells[second])
            for query, donor, result, reverse_neighbors, shape in (
                (first, second, forward, backward[0], sizes),
                (second, first, backward, forward[0], sizes[::-1]),
            ):
                neighbors, distance = result[0][:, :n_neighbors], result[1][:, :n_neighbors]
                accepted = (
                    np.isfinite(distance)
                    if n_mutual is None
                    else _is_mutual(neighbors, reverse_neighbors[:, :n_mutual])
                )
                if caliper is not None and home_distances is not None:
                    home_distance = np.minimum(home_distances[query][:, None], home_distances[donor][neighbors])
                    accepted &= distance <= caliper * home_distance
                yield query, donor, _make_weights(neighbors, distance, accepted, weights, shape)


def _search(points: NDArray[np.float64], approximate_search: bool, seed: int) -> Any:
    if not approximate_search:
        return NearestNeighbors(algorithm="brute").fit(points)
    # Slow to import, and rarely needed.
    from pynndescent import NNDescent

    index = NNDescent(points.astype(np.float32), n_neighbors=30, metric="euclidean", random_state=seed)
    index.prepare()
    return index


def _query(search: Any, points: NDArray[np.float64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the nearest cells, in order, and their distances; both of shape ``(n_points, k)``."""
    if isinstance(search, NearestNeighbors):
        distance, neighbors = search.kneighbors(points, k)
    else:
        neighbors, distance = search.query(points.astype(np.float32), k=k)
    return neighbors.astype(np.int32), distance.astype(np.float32)


def _compute_home_distances(search: Any, points: NDArray[np.float64], k: int) -> NDArray[np.float32]:
    """Return the distance of each cell to the k-th nearest cell of its own batch, or to the last one."""
    return _query(search, points, min(k + 1, len(points)))[1][:, -1]


def _is_mutual(neighbors: NDArray[np.int32], reverse_neighbors: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return the mask of donors that have the cell among their neighbours; shape of ``neighbors``."""
    n = np.int64(len(neighbors))
    pairs = neighbors.astype(np.int64) * n + np.arange(n)[:, None]
    reverse_pairs = np.arange(len(reverse_neighbors), dtype=np.int64)[:, None] * n + reverse_neighbors
    return np.isin(pairs, reverse_pairs, kind="sort")


def _make_weights(
    neighbors: NDArray[np.int32],
    distance: NDArray[np.float32],
    accepted: NDArray[np.bool_],
    weights: str,
    shape: tuple[int, int],
) -> sparse.csr_matrix:
    weight = WEIGHTS[weights](np.where(accepted, distance.astype(np.float64), np.inf))
    indptr = np.concatenate([[0], accepted.sum(axis=1).cumsum()])
    return sparse.csr_matrix((weight[accepted], neighbors[accepted], indptr), shape=shape)
