"""Neighbours of each cell: in codes, exact or approximate, or in the graph of a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from scpareto.metrics._checks import check_matrix
from scpareto.metrics._neighbors import nearest_others

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_UP_TO = 20_000
"""Cells up to which neighbours are exact. With more, nearest-neighbour descent finds more than nine in ten."""
_JITTER = 1e-6


def neighbor_weights(embedding: Any, name: str, n_cells: int, n_neighbors: int, *, seed: int) -> sparse.csr_matrix:
    """Return weights of the neighbours of each cell, shape ``(n_cells, n_cells)``, rows adding up to 1.

    Parameters
    ----------
    embedding
        Codes, shape ``(n_cells, n_latent)``, or a sparse graph, shape ``(n_cells, n_cells)``, whose stored entries
        other than the diagonal are the neighbours. Their values are not used, because large values mean far for
        distances and near for connectivities. The row of a cell without neighbours is empty.
    name
        Name in error messages.
    n_cells
        Expected number of cells.
    n_neighbors
        Number of neighbours in codes.
    seed
        Seed of the noise that breaks ties, so that the order of the cells does not decide between duplicates.
    """
    if sparse.issparse(embedding):
        if embedding.shape != (n_cells, n_cells):
            raise ValueError(
                f"the graph {name!r} has shape {embedding.shape}; give one row and column for each of {n_cells} cells."
            )
        graph = embedding.tocoo()
        other = graph.row != graph.col
        return _weights(graph.row[other], graph.col[other], n_cells)
    codes = check_matrix(embedding, name)
    if len(codes) != n_cells:
        raise ValueError(f"{name!r} has {len(codes)} rows but there are {n_cells} cells; give the same cells.")
    nearest = _nearest(codes, n_neighbors, seed)
    return _weights(np.repeat(np.arange(n_cells), nearest.shape[1]), nearest.ravel(), n_cells)


def mean_degree(weights: sparse.csr_matrix) -> float:
    """Return the mean number of neighbours of the cells that have any."""
    degree = np.diff(weights.indptr)
    return float(degree[degree > 0].mean()) if degree.any() else 0.0


def _weights(rows: NDArray[Any], columns: NDArray[Any], n_cells: int) -> sparse.csr_matrix:
    degree = np.bincount(rows, minlength=n_cells)
    return sparse.csr_matrix((1.0 / degree[rows], (rows, columns)), shape=(n_cells, n_cells))


def _nearest(codes: NDArray[np.float64], n_neighbors: int, seed: int) -> NDArray[np.int64]:
    centred = codes - codes.mean(axis=0)
    scale = float(np.sqrt((centred**2).mean())) or 1.0
    noise = np.random.default_rng(seed).normal(size=centred.shape)
    points = centred / scale + _JITTER * noise
    with threadpool_limits(limits=1):
        if len(points) <= EXACT_UP_TO:
            return nearest_others(points, np.arange(len(points)), n_neighbors)
        return _descent(points.astype(np.float32), n_neighbors, seed)


def _descent(points: NDArray[np.float32], n_neighbors: int, seed: int) -> NDArray[np.int64]:
    # Imported here because it compiles for seconds and small data do not need it.
    from pynndescent import NNDescent

    index = NNDescent(points, n_neighbors=n_neighbors + 1, random_state=seed, n_jobs=1, low_memory=True)
    nearest = np.asarray(index.neighbor_graph[0], dtype=np.int64)
    is_self = nearest == np.arange(len(nearest))[:, None]
    return np.take_along_axis(nearest, np.argsort(is_self, axis=1, kind="stable"), axis=1)[:, :n_neighbors]
