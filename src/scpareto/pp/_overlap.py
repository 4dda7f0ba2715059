"""Measure whether batches hold comparable cells, without which contrasts between batches are not causal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

# With many coordinates, noise makes all distances similar, and any batch would seem comparable.
_N_COMPONENTS = 5
_RANK = 20
_CELLS_PER_BATCH = 1000


def compute_comparable_share(scores: NDArray[np.float64], batch: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Compute the share of cells with a cell of another batch as near as their 20th nearest in their own batch.

    Parameters
    ----------
    scores
        Coordinates, the first with the largest variance; the first five are used, at unit length.
    batch
        Batch number of each cell.
    seed
        Seed of the sample of 1,000 cells from each larger batch.

    Returns
    -------
    Shape ``(n_batches, n_batches)``: rows are the batches of the cells, columns the other batches; 1 on the diagonal.
    """
    leading = scores[:, :_N_COMPONENTS]
    points = leading / np.maximum(np.linalg.norm(leading, axis=1, keepdims=True), 1e-12)
    rng = np.random.default_rng(seed)
    n_batches = int(batch.max()) + 1
    samples = []
    for b in range(n_batches):
        rows = np.flatnonzero(batch == b)
        samples.append(
            points[rows if len(rows) <= _CELLS_PER_BATCH else rng.choice(rows, _CELLS_PER_BATCH, replace=False)]
        )
    trees = [cKDTree(cells) for cells in samples]
    share = np.ones((n_batches, n_batches))
    for b, cells in enumerate(samples):
        home_distance = trees[b].query(cells, k=[min(_RANK + 1, len(cells))])[0][:, 0]
        for other in range(n_batches):
            if other != b:
                share[b, other] = (trees[other].query(cells, k=1)[0] <= home_distance).mean()
    return share


def compute_donor_shares(
    has_donors: NDArray[np.bool_], batch: NDArray[np.int64], stratum: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the shares of cells with accepted donors.

    Parameters
    ----------
    has_donors
        Whether each cell has donors in each batch, shape ``(n_cells, n_batches)``.
    batch, stratum
        Of each cell.

    Returns
    -------
    By batch of the cells and batch of the donors, shape ``(n_batches, n_batches)``, 1 on the diagonal; and with donors
    in any other batch by stratum and batch of the cells, shape ``(n_strata, n_batches)``, NaN where there are no cells.
    """
    n_batches = has_donors.shape[1]
    by_batch = np.stack([has_donors[batch == b].mean(axis=0) for b in range(n_batches)])
    np.fill_diagonal(by_batch, 1.0)
    group = stratum * n_batches + batch
    length = (int(stratum.max()) + 1) * n_batches
    size = np.bincount(group, minlength=length)
    matched = np.bincount(group, has_donors.any(axis=1), minlength=length)
    with np.errstate(invalid="ignore"):
        return by_batch, (matched / size).reshape(-1, n_batches)


def find_linked_batches(exposure: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the groups of batches that share strata, directly or through others.

    Parameters
    ----------
    exposure
        Shape ``(n_strata, n_batches)``. Only contrasts within a group are identified.

    Returns
    -------
    Number of each batch's group, shape ``(n_batches,)``.
    """
    n_strata = len(exposure)
    edges = sparse.coo_matrix(exposure > 0)
    size = n_strata + exposure.shape[1]
    graph = sparse.coo_matrix((edges.data, (edges.row, n_strata + edges.col)), shape=(size, size))
    return connected_components(graph, directed=False)[1][n_strata:]
