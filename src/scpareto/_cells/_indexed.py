"""Minibatches that know which cells they hold."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from scvi.data import AnnTorchDataset
from torch.utils.data import Dataset, Subset

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scvi.data import AnnDataManager

CELL_INDEX = "scpareto_cell_index"
"""Key of a minibatch that holds the row of each cell, shape ``(n_cells, 1)``."""


class IndexedDataset(AnnTorchDataset):
    """Registered data of some cells, and their rows."""

    def __getitem__(self, indexes: int | list[int] | slice) -> dict[str, Any]:
        """Fetch registered data; see :class:`scvi.data.AnnTorchDataset`."""
        # Counting all cells for each minibatch would cost more than fetching some of them.
        taken = range(*indexes.indices(len(self))) if isinstance(indexes, slice) else indexes
        rows: NDArray[np.int64] = np.asarray(taken, dtype=np.int64).reshape(-1, 1)
        if self.adata_manager.adata.isbacked and not isinstance(indexes, slice):
            # The base class reads backed data in ascending order.
            rows = np.sort(rows, axis=0)
        return super().__getitem__(indexes) | {CELL_INDEX: rows}


def add_cell_index(manager: AnnDataManager, dataset: Dataset[Any] | None = None) -> AnnDataManager:
    """Twin of a manager whose data sets add the rows of the cells; neither manager nor data are changed.

    Parameters
    ----------
    manager
        The manager.
    dataset
        All registered data in another form that gives the same minibatches; None to read them from the manager.
    """
    twin = copy.copy(manager)

    def create_torch_dataset(
        indices: Any = None, data_and_attributes: Any = None, load_sparse_tensor: bool = False
    ) -> Dataset[Any]:
        whole = dataset
        if whole is None:
            whole = IndexedDataset(twin, getitem_tensors=data_and_attributes, load_sparse_tensor=load_sparse_tensor)
        return whole if indices is None else Subset(whole, indices)

    twin.create_torch_dataset = create_torch_dataset
    return twin
