"""Read a matrix of cells in blocks of rows, from memory or from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scpareto._cells._matrix import to_canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

ROWS = 8192
"""Rows of a block."""


class CollectionLayer:
    """A layer of several files. scvi-tools' stand-in has the class of a sparse matrix, but no values and no shape.

    Parameters
    ----------
    stand_in
        The object that :class:`scvi.dataloaders.CollectionAdapter` returns for a layer.
    """

    def __init__(self, stand_in: Any) -> None:
        self._stand_in = stand_in
        self.shape: tuple[int, int] = stand_in.collection.shape

    def __getitem__(self, rows: Any) -> Any:
        """Return rows as a sparse matrix in memory."""
        return self._stand_in[rows]


def as_row_matrix(values: Any) -> Any:
    """Return a matrix that has a shape and can be indexed by rows.

    Every matrix passes through here before it is read, and so through :func:`scpareto._cells._matrix.to_canonical`.

    Raises
    ------
    ValueError
        If the matrix is broken or not numeric.
    """
    return CollectionLayer(values) if _is_stand_in(values) else to_canonical(values)


def _is_stand_in(values: Any) -> bool:
    return sparse.issparse(values) and "collection" in vars(values)


def is_in_memory(values: Any) -> bool:
    """Return whether a matrix is an array of NumPy or SciPy in memory, rather than in a file."""
    return isinstance(values, np.ndarray) or (sparse.issparse(values) and not _is_stand_in(values))


def row_blocks(values: Any, n_rows: int = ROWS, *, rows: NDArray[np.int64] | None = None) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a matrix as arrays in memory, block by block.

    Parameters
    ----------
    values
        Array or sparse matrix, or a matrix in a file (backed AnnData, zarr, dask) whose rows are read as such.
    n_rows
        Rows of a block that is read from a file. A matrix in memory is one block.
    rows
        Rows that are wanted, ascending; None for all.

    Yields
    ------
    The position of a block's first row among the wanted ones, and the block.
    """
    values = as_row_matrix(values)
    if rows is not None:
        for first in range(0, len(rows), n_rows):
            yield first, read_rows(values, rows[first : first + n_rows])
        return
    if is_in_memory(values):
        yield 0, values
        return
    for first in range(0, values.shape[0], n_rows):
        yield first, read_rows(values, slice(first, first + n_rows))


def read_rows(values: Any, rows: Any) -> Any:
    """Read some rows of a matrix of :func:`as_row_matrix`; from a file, give a slice or ascending rows."""
    block = values[rows]
    block = block.compute() if hasattr(block, "compute") else block
    # A matrix in memory has been checked as a whole by as_row_matrix.
    return block if is_in_memory(values) else to_canonical(block)
