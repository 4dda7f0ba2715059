"""Minibatches cut from tensors in memory, which is faster than a data loader if the data are small enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scvi.dataloaders import AnnDataLoader

from scpareto._cells._indexed import add_cell_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike
    from scvi.data import AnnDataManager
    from torch import Tensor

MAX_ELEMENTS = 2**28
"""Largest number of elements of a dense count matrix (1 GiB) that is held in memory."""


class InMemoryBatches:
    """Minibatches of registered data, cut from tensors.

    Parameters
    ----------
    tensors
        Registered data of all cells; the first dimension is that of the cells.
    batch_size
        Cells of a minibatch.
    shuffle
        Whether PyTorch's generator draws a new order in each epoch. One or two left-over cells, too few for batch
        normalisation, are then dropped.
    """

    def __init__(self, tensors: dict[str, Tensor], batch_size: int, *, shuffle: bool) -> None:
        self.tensors = tensors
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.n_cells = len(next(iter(tensors.values())))

    def __len__(self) -> int:
        n_full, n_left = divmod(self.n_cells, self.batch_size)
        return n_full + (n_left > (2 if self.shuffle and n_full else 0))

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        order = torch.randperm(self.n_cells) if self.shuffle else torch.arange(self.n_cells)
        for cells in order.split(self.batch_size)[: len(self)]:
            yield {key: values[cells] for key, values in self.tensors.items()}


def make_batches(
    manager: AnnDataManager, cells: ArrayLike, batch_size: int, *, shuffle: bool, max_elements: int = MAX_ELEMENTS
) -> Iterable[Any]:
    """Make minibatches of some cells, with the rows of the cells; see :data:`scpareto._cells._indexed.CELL_INDEX`.

    Parameters
    ----------
    manager
        Registered data.
    cells
        Rows of the cells.
    batch_size, shuffle
        See :class:`InMemoryBatches`.
    max_elements
        If a dense matrix of these cells' counts has more elements, a data loader reads the cells instead.

    Returns
    -------
    An iterable that yields a dict of tensors for each minibatch; it can be iterated over repeatedly.
    """
    rows = np.asarray(cells, dtype=np.int64)
    indexed = add_cell_index(manager)
    if len(rows) * manager.adata.n_vars > max_elements:
        # One or two left-over cells are too few for batch normalisation.
        drop_last = shuffle and 0 < len(rows) % batch_size < 3
        return AnnDataLoader(indexed, indices=rows, batch_size=batch_size, shuffle=shuffle, drop_last=drop_last)
    arrays = indexed.create_torch_dataset()[rows]
    tensors = {key: torch.from_numpy(np.ascontiguousarray(values)) for key, values in arrays.items()}
    return InMemoryBatches(tensors, batch_size, shuffle=shuffle)
