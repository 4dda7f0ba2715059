"""Cells of a store that annbatch reads: its rows are known, so that they are split and judged as those of AnnData.

The only file that knows annbatch, and what scvi-tools' data module keeps of it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto._cells._held import HeldCells, RandomCells
from scpareto._cells._split import MOST_JUDGED, sample_judged_cells
from scpareto._cells._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scpareto._cells._minibatch import MinibatchFormat
    from scpareto._cells._split import Split


def is_annbatch(module: Any) -> bool:
    """Whether a data module is that of scvi-tools for stores of annbatch."""
    loader = getattr(module, "dataset", None)
    return type(loader).__module__.split(".")[0] == "annbatch" and hasattr(module, "chunk_size")


def batch_of_rows(module: Any) -> NDArray[np.int64]:
    """Batch of each row of a store, by number.

    Raises
    ------
    ValueError
        If the data module names no batch.
    """
    encoder, key = module.batch_encoder, module._batch_key
    if encoder is None:
        raise ValueError(f"The data module has no batch (batch_key={key!r}): make it with the batch_key of the cells.")
    names = np.concatenate([np.asarray(obs[key]).astype(str) for obs in module.dataset._obs])
    return np.asarray(encoder.transform(names), dtype=np.int64)


class AnnbatchStream(Stream):
    """The cells of a store of annbatch, split by row and not, as scvi-tools does, by stretches of the store.

    Parameters
    ----------
    module
        Data module made by ``setup_annbatch``.
    expected
        What its minibatches must hold.
    split
        Rows of training, validation and test cells.
    batch
        Batch of each row.

    Raises
    ------
    ValueError
        If its cells are drawn by class.
    """

    def __init__(self, module: Any, expected: MinibatchFormat, split: Split, batch: NDArray[np.int64]) -> None:
        super().__init__(module, expected)
        if getattr(module, "_classes", None) is not None:
            raise ValueError(
                "The data module draws cells by class (use_class_sampler): a front is trained on every training cell "
                "once an epoch. Make it without."
            )
        self.split, self.batch = split, batch

    def hold_cells(self, seed: int, most: int = MOST_JUDGED) -> HeldCells:
        """Read the cells that an AnnData of the same rows would be judged on; see :meth:`Stream.hold_cells`."""
        rows, split = sample_judged_cells(self.split, self.batch, most=most)
        n_cells = {name: len(part) for name, part in self.split.items()}
        rows = np.arange(len(self.batch)) if rows is None else rows
        cells = RandomCells(None, np.random.default_rng(seed))
        for minibatch in self._checked(self._reader(rows, shuffle=False)):
            cells.add(minibatch)
        return HeldCells(cells.all(), split, n_cells, rows)

    def _loader(self, part: str) -> Any:
        return self._reader(dict(self.split.items())[part], shuffle=part == "train")

    def _reader(self, rows: NDArray[np.int64], *, shuffle: bool) -> Any:
        """Make a loader of the same store that gives some rows only, in another order each time or as they lie."""
        loader = copy.copy(self.module.dataset)
        wanted = np.zeros(loader.n_obs, dtype=bool)
        wanted[rows] = True
        loader._batch_sampler = _sampler(wanted, self.module, shuffle=shuffle)
        return loader


def _sampler(wanted: NDArray[np.bool_], module: Any, *, shuffle: bool) -> Any:
    """Sampler of annbatch that reads chunks of rows and gives those that are wanted."""
    from annbatch.abc import Sampler

    class SomeRows(Sampler):
        """Rows of a store that are wanted, chunk by chunk; the order is drawn by PyTorch's generator."""

        batch_size = module.batch_size

        @property
        def shuffle(self) -> bool:
            return shuffle

        def n_batches(self, n_obs: int) -> int:
            return -(-int(wanted.sum()) // module.batch_size)

        def validate(self, n_obs: int) -> None:
            return

        def _sample(self, n_obs: int) -> Iterator[dict[str, Any]]:
            rng = np.random.default_rng(int(torch.randint(2**31, ()))) if shuffle else None
            return requests(wanted, module.chunk_size, module.preload_nchunks, module.batch_size, rng)

    return SomeRows()


def requests(
    wanted: NDArray[np.bool_],
    chunk_size: int,
    n_chunks: int,
    batch_size: int,
    rng: np.random.Generator | None,
) -> Iterator[dict[str, Any]]:
    """Say what is read at a time and which of it makes up minibatches, in annbatch's words.

    Parameters
    ----------
    wanted
        Whether a row is wanted.
    chunk_size, n_chunks
        Rows of a chunk, and chunks that are read at a time.
    batch_size
        Cells of a minibatch, at most.
    rng
        Shuffles chunks and the cells of those that are read at a time; None for rows in their order.

    Yields
    ------
    Slices of rows, and positions among what is read, for each minibatch.
    """
    starts = np.arange(0, len(wanted), chunk_size)
    starts = starts[np.add.reduceat(wanted, starts) > 0]
    if rng is not None:
        rng.shuffle(starts)
        # annbatch takes a chunk that is shorter than the others as the last one only.
        starts = starts[np.argsort(starts + chunk_size > len(wanted), kind="stable")]
    for first in range(0, len(starts), n_chunks):
        slices = [slice(int(s), int(min(s + chunk_size, len(wanted)))) for s in starts[first : first + n_chunks]]
        positions = np.flatnonzero(np.concatenate([wanted[part] for part in slices]))
        if rng is not None:
            rng.shuffle(positions)
        yield {"requests": slices, "splits": np.array_split(positions, -(-len(positions) // batch_size))}
