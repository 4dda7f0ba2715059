"""Minibatches that hold the row of each cell."""

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
    """Registered data of some cells, with the rows of the cells."""

    def __getitem__(self, indexes: int | list[int] | slice) -> dict[str, Any]:
        """Fetch registered data; see :class:`scvi.data.AnnTorchDataset`."""
        # A range over all cells for each minibatch would cost more than fetching the cells.
        positions = range(*indexes.indices(len(self))) if isinstance(indexes, slice) else indexes
        rows: NDArray[np.int64] = np.asarray(positions, dtype=np.int64).reshape(-1, 1)
        if self.adata_manager.adata.isbacked and not isinstance(indexes, slice):
            # The base class reads backed data in ascending order.
            rows = np.sort(rows, axis=0)
        return super().__getitem__(indexes) | {CELL_INDEX: rows}


def add_cell_index(manager: AnnDataManager, dataset: Dataset[Any] | None = None) -> AnnDataManager:
    """Return a copy of a manager whose data sets add the rows of the cells; manager and data stay unchanged.

    Parameters
    ----------
    manager
        The manager.
    dataset
        All registered data in another form, such as on a GPU; None reads them from the manager.
    """
    copied = copy.copy(manager)

    def create_torch_dataset(
        indices: Any = None, data_and_attributes: Any = None, load_sparse_tensor: bool = False
    ) -> Dataset[Any]:
        all_cells = dataset
        if all_cells is None:
            all_cells = IndexedDataset(
                copied, getitem_tensors=data_and_attributes, load_sparse_tensor=load_sparse_tensor
            )
        return all_cells if indices is None else Subset(all_cells, indices)

    copied.create_torch_dataset = create_torch_dataset
    return copied
