"""Multiply counts by a factor for each batch and gene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS_PER_BLOCK = 4096


def rescale_counts(counts: Any, batch: NDArray[np.int64], factor: NDArray[np.float64]) -> Any:
    """Multiply every count by the factor of its gene in the batch of its cell.

    Parameters
    ----------
    counts
        Sparse or dense, shape ``(n_cells, n_genes)``; not changed.
    batch
        Batch number of each cell.
    factor
        Shape ``(n_genes, n_batches)``, positive.

    Returns
    -------
    A new matrix of the same type, with the zeros of the counts; float32 unless the counts are float64.
    """
    dtype = counts.dtype if counts.dtype in (np.float32, np.float64) else np.dtype(np.float32)
    by_batch = np.ascontiguousarray(factor.T, dtype=dtype)
    if not sparse.issparse(counts):
        dense = np.asarray(counts)
        out = np.empty(dense.shape, dtype=dtype)
        for start in range(0, len(dense), _ROWS_PER_BLOCK):
            rows = slice(start, start + _ROWS_PER_BLOCK)
            np.multiply(dense[rows], by_batch[batch[rows]], out=out[rows], casting="unsafe")
        return out
    is_csr = counts.format == "csr"
    matrix = counts if counts.format in ("csr", "csc") else counts.tocsr()
    values = np.empty(matrix.nnz, dtype=dtype)
    n_major = len(matrix.indptr) - 1
    for start in range(0, n_major, _ROWS_PER_BLOCK):
        stop = min(start + _ROWS_PER_BLOCK, n_major)
        entries = slice(matrix.indptr[start], matrix.indptr[stop])
        major = np.repeat(np.arange(start, stop), np.diff(matrix.indptr[start : stop + 1]))
        minor = matrix.indices[entries]
        cell, gene = (major, minor) if is_csr or counts.format not in ("csr", "csc") else (minor, major)
        values[entries] = matrix.data[entries] * by_batch[batch[cell], gene]
    # Copy the index arrays: if two matrices share them, sorting one in place would corrupt the other.
    return type(matrix)((values, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
