"""Keep registered data on a GPU if they fit, so that minibatches are cut there without copies at each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch.utils.data import Dataset

from scpareto._cells._indexed import CELL_INDEX
from scpareto._cells._matrix import to_canonical
from scpareto._scvi_compat import registry_key_to_default_dtype

if TYPE_CHECKING:
    from scvi.data import AnnDataManager
    from torch import Tensor

_MAX_MEMORY_SHARE = 0.5
"""Largest share of the free memory of a GPU that data may take."""


class SparseRows:
    """Sparse matrix on a device whose rows are returned dense.

    Parameters
    ----------
    matrix
        The matrix, in memory.
    dtype
        Type of its values.
    device
        Device of values and columns. The lengths of rows are in CPU memory too, so that the size of a minibatch is
        known without waiting for the device.
    """

    def __init__(self, matrix: sparse.csr_matrix, dtype: type, device: torch.device) -> None:
        self.n_columns = matrix.shape[1]
        starts = torch.from_numpy(matrix.indptr[:-1].astype(np.int64))
        self.lengths = torch.from_numpy(np.diff(matrix.indptr).astype(np.int64))
        self.starts = starts.to(device)
        self.columns = torch.from_numpy(matrix.indices.astype(np.int32, copy=False)).to(device)
        self.values = torch.from_numpy(matrix.data.astype(dtype, copy=False)).to(device)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Return rows as a dense tensor, shape ``(n_rows, n_columns)``; ``rows`` is in CPU memory."""
        device = self.values.device
        lengths = self.lengths[rows]
        total, rows, lengths = int(lengths.sum()), rows.to(device), lengths.to(device)
        row = torch.arange(len(rows), device=device).repeat_interleave(lengths, output_size=total)
        # Shift from the position of an entry in the minibatch to its position in the matrix.
        offset = self.starts[rows] - (lengths.cumsum(0) - lengths)
        entry = torch.arange(total, device=device) + offset[row]
        dense = torch.zeros(len(rows) * self.n_columns, dtype=self.values.dtype, device=device)
        dense[row * self.n_columns + self.columns[entry]] = self.values[entry]
        return dense.view(len(rows), self.n_columns)


class DenseRows:
    """Dense matrix on a device; see :class:`SparseRows`."""

    def __init__(self, matrix: np.ndarray, dtype: type, device: torch.device) -> None:
        self.values = torch.from_numpy(np.ascontiguousarray(matrix, dtype=dtype)).to(device)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Return rows."""
        return self.values[rows.to(self.values.device)]


class ResidentDataset(Dataset):
    """Registered data of all cells on a device, in the format of :class:`scpareto._cells._indexed.IndexedDataset`.

    Parameters
    ----------
    manager
        Registered data, in memory.
    device
        The device.
    """

    def __init__(self, manager: AnnDataManager, device: torch.device) -> None:
        self.n_cells = manager.adata.n_obs
        self.fields: dict[str, SparseRows | DenseRows] = {}
        for key, matrix in _get_registered_matrices(manager).items():
            kind = SparseRows if sparse.issparse(matrix) else DenseRows
            self.fields[key] = kind(matrix, registry_key_to_default_dtype(key), device)

    def __len__(self) -> int:
        return self.n_cells

    def __getitem__(self, indexes: list[int]) -> dict[str, Tensor]:
        """Return a minibatch with the rows of its cells."""
        rows = torch.as_tensor(indexes, dtype=torch.int64)
        return {key: field[rows] for key, field in self.fields.items()} | {CELL_INDEX: rows[:, None]}


def resident_dataset(manager: AnnDataManager, device: torch.device) -> ResidentDataset | None:
    """Put registered data on a GPU; None without a GPU, or if data are backed or too large for it."""
    if device.type != "cuda" or manager.adata.isbacked:
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return ResidentDataset(manager, device) if bytes_needed(manager) < _MAX_MEMORY_SHARE * free else None


def bytes_needed(manager: AnnDataManager) -> float:
    """Return the bytes of registered data on a device; infinite if only a data loader can read them."""
    total = 0.0
    for matrix in _get_registered_matrices(manager).values():
        if sparse.issparse(matrix) and matrix.format == "csr":
            total += 8 * matrix.nnz + 8 * matrix.shape[0]
        elif isinstance(matrix, np.ndarray):
            total += 8 * matrix.size
        else:
            return np.inf
    return total


def _get_registered_matrices(manager: AnnDataManager) -> dict[str, Any]:
    """Return registered matrices by key. Other entries, such as the type of minification, are left out."""
    entries = {key: manager.get_from_registry(key) for key in manager.data_registry}
    arrays = {key: m.to_numpy() if isinstance(m, pd.DataFrame) else m for key, m in entries.items()}
    # Of duplicate entries of a cell and gene, SparseRows would keep one: matrices must be canonical.
    return {key: to_canonical(matrix, key) for key, matrix in arrays.items() if not isinstance(matrix, str)}
