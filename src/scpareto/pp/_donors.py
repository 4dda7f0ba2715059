"""Donors: cells of other batches that stand in for a cell, had it been measured there."""

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
# A batch so small is searched exactly in no time, however many cells ask.
_MAX_EXACT_BATCH = 4_096


def donor_weights(
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
        A cell's nearest so many cells of each other batch are its candidates.
    n_mutual
        A candidate is accepted if the cell is among so many nearest of it in turn; None accepts all.
    weights
        Key of :data:`scpareto.pp._weights.WEIGHTS`.
    approximate
        Whether to search by nearest-neighbour descent; None does so above 20,000 cells.
    seed
        Of the approximate search.
    caliper
        A donor is accepted only within so many times the distance at which cells of its kind lie at home: the distance
        to the ``n_neighbors``-th nearest cell of the own batch, of the cell or of the donor, whichever is smaller.
        None accepts any distance.

    Yields
    ------
    Batch of the cells, batch of their donors, and the weights: CSR of shape ``(cells of the one, cells of the other)``
    in the order of the data, whose rows sum to one, or are empty where no donor was accepted.
    """
    cells = [np.flatnonzero(batch == b) for b in range(batch.max() + 1)]
    descent = len(batch) > _MAX_EXACT_CELLS if approximate is None else approximate
    searches = [
        _search(unit[own], descent and (approximate is True or len(own) > _MAX_EXACT_BATCH), seed) for own in cells
    ]
    reach = max(n_neighbors, n_mutual or 0)
    at_home = (
        None
        if caliper is None
        else [_at_home(s, unit[own], n_neighbors) for s, own in zip(searches, cells, strict=True)]
    )
    for first in range(len(cells)):
        for second in range(first):
            forth = _query(searches[second], unit[cells[first]], min(reach, len(cells[second])))
            back = _query(searches[first], unit[cells[second]], min(reach, len(cells[first])))
            sizes = len(cells[first]), len(cells[second])
            for query, donor, there, returned, shape in (
                (first, second, forth, back[0], sizes),
                (second, first, back, forth[0], sizes[::-1]),
            ):
                near, distance = there[0][:, :n_neighbors], there[1][:, :n_neighbors]
                accepted = np.isfinite(distance) if n_mutual is None else _answered(near, returned[:, :n_mutual])
                if caliper is not None and at_home is not None:
                    usual = np.minimum(at_home[query][:, None], at_home[donor][near])
                    accepted &= distance <= caliper * usual
                yield query, donor, _weighted(near, distance, accepted, weights, shape)


def _search(points: NDArray[np.float64], descent: bool, seed: int) -> Any:
    if not descent:
        return NearestNeighbors(algorithm="brute").fit(points)
    # Slow to import, and rarely needed.
    from pynndescent import NNDescent

    index = NNDescent(points.astype(np.float32), n_neighbors=30, metric="euclidean", random_state=seed)
    index.prepare()
    return index


def _query(search: Any, points: NDArray[np.float64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Nearest cells, in order, and their distances; both of shape ``(n_points, k)``."""
    if isinstance(search, NearestNeighbors):
        distance, near = search.kneighbors(points, k)
    else:
        near, distance = search.query(points.astype(np.float32), k=k)
    return near.astype(np.int32), distance.astype(np.float32)


def _at_home(search: Any, points: NDArray[np.float64], k: int) -> NDArray[np.float32]:
    """Distance of each cell to its k-th nearest of the own batch, or to the last one."""
    return _query(search, points, min(k + 1, len(points)))[1][:, -1]


def _answered(near: NDArray[np.int32], returned: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of the listed donors list the cell in turn; shape of ``near``."""
    n = np.int64(len(near))
    asked = near.astype(np.int64) * n + np.arange(n)[:, None]
    answers = np.arange(len(returned), dtype=np.int64)[:, None] * n + returned
    return np.isin(asked, answers, kind="sort")


def _weighted(
    near: NDArray[np.int32],
    distance: NDArray[np.float32],
    accepted: NDArray[np.bool_],
    weights: str,
    shape: tuple[int, int],
) -> sparse.csr_matrix:
    weight = WEIGHTS[weights](np.where(accepted, distance.astype(np.float64), np.inf))
    indptr = np.concatenate([[0], accepted.sum(axis=1).cumsum()])
    return sparse.csr_matrix((weight[accepted], near[accepted], indptr), shape=shape)
