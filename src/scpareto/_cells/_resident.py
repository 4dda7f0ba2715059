"""Registered data that stay on a GPU, where they fit: minibatches are cut there and nothing is copied each step."""

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

_LARGEST_SHARE = 0.5
"""Share of the free memory of a GPU that data may take."""


class SparseRows:
    """Rows of a sparse matrix on a device, cut as dense ones.

    Parameters
    ----------
    matrix
        The matrix, in memory.
    dtype
        Type of its values.
    device
        Where values and columns are kept. Lengths of rows stay in memory as well, so that a cut knows its size without
        asking the device.
    """

    def __init__(self, matrix: sparse.csr_matrix, dtype: type, device: torch.device) -> None:
        self.n_columns = matrix.shape[1]
        starts = torch.from_numpy(matrix.indptr[:-1].astype(np.int64))
        self.lengths = torch.from_numpy(np.diff(matrix.indptr).astype(np.int64))
        self.starts = starts.to(device)
        self.columns = torch.from_numpy(matrix.indices.astype(np.int32, copy=False)).to(device)
        self.values = torch.from_numpy(matrix.data.astype(dtype, copy=False)).to(device)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Cut some rows, given by a tensor in memory; shape ``(n_rows, n_columns)``."""
        device = self.values.device
        lengths = self.lengths[rows]
        total, rows, lengths = int(lengths.sum()), rows.to(device), lengths.to(device)
        row = torch.arange(len(rows), device=device).repeat_interleave(lengths, output_size=total)
        # Place of an entry among those of its row, from that row's place on.
        offset = self.starts[rows] - (lengths.cumsum(0) - lengths)
        entry = torch.arange(total, device=device) + offset[row]
        cut = torch.zeros(len(rows) * self.n_columns, dtype=self.values.dtype, device=device)
        cut[row * self.n_columns + self.columns[entry]] = self.values[entry]
        return cut.view(len(rows), self.n_columns)


class DenseRows:
    """Rows of a dense matrix on a device; see :class:`SparseRows`."""

    def __init__(self, matrix: np.ndarray, dtype: type, device: torch.device) -> None:
        self.values = torch.from_numpy(np.ascontiguousarray(matrix, dtype=dtype)).to(device)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Cut some rows."""
        return self.values[rows.to(self.values.device)]


class ResidentDataset(Dataset):
    """Registered data of all cells on a device, in the words of :class:`scpareto._cells._indexed.IndexedDataset`.

    Parameters
    ----------
    manager
        Registered data, in memory.
    device
        Where they are kept.
    """

    def __init__(self, manager: AnnDataManager, device: torch.device) -> None:
        self.n_cells = manager.adata.n_obs
        self.fields: dict[str, SparseRows | DenseRows] = {}
        for key, matrix in _registered(manager).items():
            kind = SparseRows if sparse.issparse(matrix) else DenseRows
            self.fields[key] = kind(matrix, registry_key_to_default_dtype(key), device)

    def __len__(self) -> int:
        return self.n_cells

    def __getitem__(self, indexes: list[int]) -> dict[str, Tensor]:
        """Cut a minibatch, which knows the rows of its cells."""
        rows = torch.as_tensor(indexes, dtype=torch.int64)
        return {key: field[rows] for key, field in self.fields.items()} | {CELL_INDEX: rows[:, None]}


def resident_dataset(manager: AnnDataManager, device: torch.device) -> ResidentDataset | None:
    """Put registered data on a GPU; None where there is none, or they are not in memory or too large for it."""
    if device.type != "cuda" or manager.adata.isbacked:
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return ResidentDataset(manager, device) if bytes_needed(manager) < _LARGEST_SHARE * free else None


def bytes_needed(manager: AnnDataManager) -> float:
    """Bytes of registered data on a device; infinite where some are of a kind that only a data loader reads."""
    total = 0.0
    for matrix in _registered(manager).values():
        if sparse.issparse(matrix) and matrix.format == "csr":
            total += 8 * matrix.nnz + 8 * matrix.shape[0]
        elif isinstance(matrix, np.ndarray):
            total += 8 * matrix.size
        else:
            return np.inf
    return total


def _registered(manager: AnnDataManager) -> dict[str, Any]:
    """Find registered matrices by their keys; what is no matrix, such as how cells were minified, is left out."""
    found = {key: manager.get_from_registry(key) for key in manager.data_registry}
    arrays = {key: m.to_numpy() if isinstance(m, pd.DataFrame) else m for key, m in found.items()}
    # A cut writes one entry over another of the same cell and gene: matrices have to be in order.
    return {key: to_canonical(matrix, key) for key, matrix in arrays.items() if not isinstance(matrix, str)}
