"""Multiplying counts by a factor for each batch and gene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS_PER_BLOCK = 4096


def rescaled(counts: Any, batch: NDArray[np.int64], factor: NDArray[np.float64]) -> Any:
    """Multiply every count by the factor of its gene in the batch of its cell.

    Parameters
    ----------
    counts
        Sparse or dense, shape ``(n_cells, n_genes)``; left alone.
    batch
        Batch number of each cell.
    factor
        Shape ``(n_genes, n_batches)``, positive.

    Returns
    -------
    A new matrix of the same kind, with zeros where the counts have them; float32 unless the counts are float64.
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
    cells_first = counts.format == "csr"
    kept = counts if counts.format in ("csr", "csc") else counts.tocsr()
    values = np.empty(kept.nnz, dtype=dtype)
    n_major = len(kept.indptr) - 1
    for start in range(0, n_major, _ROWS_PER_BLOCK):
        stop = min(start + _ROWS_PER_BLOCK, n_major)
        entries = slice(kept.indptr[start], kept.indptr[stop])
        major = np.repeat(np.arange(start, stop), np.diff(kept.indptr[start : stop + 1]))
        minor = kept.indices[entries]
        cell, gene = (major, minor) if cells_first or counts.format not in ("csr", "csc") else (minor, major)
        values[entries] = kept.data[entries] * by_batch[batch[cell], gene]
    # Copies: two matrices that share their index arrays change each other when one is sorted in place.
    return type(kept)((values, kept.indices.copy(), kept.indptr.copy()), shape=kept.shape)
