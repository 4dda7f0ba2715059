"""Minibatches cut from tensors in memory, which spares the data loader where the data are small enough."""

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
"""Elements of a dense count matrix, 1 GiB of them, up to which data are held in memory."""


class InMemoryBatches:
    """Minibatches of registered data, cut from tensors.

    Parameters
    ----------
    tensors
        Registered data of all cells, the first dimension being that of the cells.
    batch_size
        Cells of a minibatch.
    shuffle
        Whether cells are drawn in a new order each time, by PyTorch's generator; one or two left-over cells, of which
        batch normalisation cannot learn, are then left out.
    """

    def __init__(self, tensors: dict[str, Tensor], batch_size: int, *, shuffle: bool) -> None:
        self.tensors = tensors
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.n_cells = len(next(iter(tensors.values())))

    def __len__(self) -> int:
        whole, left = divmod(self.n_cells, self.batch_size)
        return whole + (left > (2 if self.shuffle and whole else 0))

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        order = torch.randperm(self.n_cells) if self.shuffle else torch.arange(self.n_cells)
        for cells in order.split(self.batch_size)[: len(self)]:
            yield {key: values[cells] for key, values in self.tensors.items()}


def make_batches(
    manager: AnnDataManager, cells: ArrayLike, batch_size: int, *, shuffle: bool, max_elements: int = MAX_ELEMENTS
) -> Iterable[Any]:
    """Minibatches of some cells, which know the rows of their cells; see :data:`scpareto._cells._indexed.CELL_INDEX`.

    Parameters
    ----------
    manager
        Registered data.
    cells
        Rows of the cells.
    batch_size, shuffle
        See :class:`InMemoryBatches`.
    max_elements
        Elements of a dense matrix of these cells' counts above which they are read by a data loader instead.

    Returns
    -------
    What yields a dict of tensors for each minibatch, as often as it is iterated over.
    """
    rows = np.asarray(cells, dtype=np.int64)
    indexed = add_cell_index(manager)
    if len(rows) * manager.adata.n_vars > max_elements:
        # As above, batch normalisation has no use for one or two left-over cells.
        drop_last = shuffle and 0 < len(rows) % batch_size < 3
        return AnnDataLoader(indexed, indices=rows, batch_size=batch_size, shuffle=shuffle, drop_last=drop_last)
    found = indexed.create_torch_dataset()[rows]
    tensors = {key: torch.from_numpy(np.ascontiguousarray(values)) for key, values in found.items()}
    return InMemoryBatches(tensors, batch_size, shuffle=shuffle)
