"""Cells of a store that annbatch reads. Its rows are known, so the cells are split and judged like those of an AnnData.

Only this file depends on annbatch and on the attributes of scvi-tools' data module for it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from scpareto._cells._held import CellSampler, HeldCells
from scpareto._cells._split import MAX_JUDGED_CELLS, sample_judged_cells
from scpareto._cells._stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from scpareto._cells._minibatch import MinibatchFormat
    from scpareto._cells._split import Split


def is_annbatch(module: Any) -> bool:
    """Return whether a data module is the one of scvi-tools for annbatch stores."""
    loader = getattr(module, "dataset", None)
    return type(loader).__module__.split(".")[0] == "annbatch" and hasattr(module, "chunk_size")


def batch_of_rows(module: Any) -> NDArray[np.int64]:
    """Return the batch number of each row of a store.

    Raises
    ------
    ValueError
        If the data module has no batch key.
    """
    encoder, key = module.batch_encoder, module._batch_key
    if encoder is None:
        raise ValueError(f"The data module has no batch (batch_key={key!r}): make it with the batch_key of the cells.")
    names = np.concatenate([np.asarray(obs[key]).astype(str) for obs in module.dataset._obs])
    return np.asarray(encoder.transform(names), dtype=np.int64)


class AnnbatchStream(Stream):
    """The cells of an annbatch store, split by row; scvi-tools splits the store into contiguous stretches.

    Parameters
    ----------
    module
        Data module made by ``setup_annbatch``.
    expected
        Checks and converts its minibatches.
    split
        Rows of training, validation and test cells.
    batch
        Batch of each row.

    Raises
    ------
    ValueError
        If the data module samples cells by class.
    """

    def __init__(self, module: Any, expected: MinibatchFormat, split: Split, batch: NDArray[np.int64]) -> None:
        super().__init__(module, expected)
        if getattr(module, "_classes", None) is not None:
            raise ValueError(
                "The data module draws cells by class (use_class_sampler): a front is trained on every training cell "
                "once an epoch. Make it without."
            )
        self.split, self.batch = split, batch

    def hold_cells(self, seed: int, max_cells: int = MAX_JUDGED_CELLS) -> HeldCells:
        """Read the cells on which an AnnData with the same rows would be judged; see :meth:`Stream.hold_cells`."""
        rows, split = sample_judged_cells(self.split, self.batch, max_cells=max_cells)
        n_cells = {name: len(part) for name, part in self.split.items()}
        rows = np.arange(len(self.batch)) if rows is None else rows
        cells = CellSampler(None, np.random.default_rng(seed))
        for minibatch in self._check_minibatches(self._reader(rows, shuffle=False)):
            cells.add(minibatch)
        return HeldCells(cells.all(), split, n_cells, rows)

    def _loader(self, part: str) -> Any:
        return self._reader(dict(self.split.items())[part], shuffle=part == "train")

    def _reader(self, rows: NDArray[np.int64], *, shuffle: bool) -> Any:
        """Make a loader of the same store for some rows, in a new random order in each epoch or in stored order."""
        loader = copy.copy(self.module.dataset)
        wanted = np.zeros(loader.n_obs, dtype=bool)
        wanted[rows] = True
        loader._batch_sampler = _sampler(wanted, self.module, shuffle=shuffle)
        return loader


def _sampler(wanted: NDArray[np.bool_], module: Any, *, shuffle: bool) -> Any:
    """Make an annbatch sampler that reads chunks of rows and yields the wanted rows."""
    from annbatch.abc import Sampler

    class SomeRows(Sampler):
        """Wanted rows of a store, chunk by chunk; PyTorch's generator draws the order."""

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
            return make_requests(wanted, module.chunk_size, module.preload_nchunks, module.batch_size, rng)

    return SomeRows()


def make_requests(
    wanted: NDArray[np.bool_],
    chunk_size: int,
    n_chunks: int,
    batch_size: int,
    rng: np.random.Generator | None,
) -> Iterator[dict[str, Any]]:
    """Yield the chunks to read at a time and how to cut them into minibatches, in annbatch's format.

    Parameters
    ----------
    wanted
        Whether a row is wanted.
    chunk_size, n_chunks
        Rows of a chunk, and chunks that are read at a time.
    batch_size
        Cells of a minibatch, at most.
    rng
        Shuffles chunks, and the cells of the chunks that are read at a time; None keeps the order of the rows.

    Yields
    ------
    ``"requests"``: slices of rows to read. ``"splits"``: the positions of the cells of each minibatch among these rows.
    """
    starts = np.arange(0, len(wanted), chunk_size)
    starts = starts[np.add.reduceat(wanted, starts) > 0]
    if rng is not None:
        rng.shuffle(starts)
        # annbatch accepts a shorter chunk only in the last place.
        starts = starts[np.argsort(starts + chunk_size > len(wanted), kind="stable")]
    for first in range(0, len(starts), n_chunks):
        slices = [slice(int(s), int(min(s + chunk_size, len(wanted)))) for s in starts[first : first + n_chunks]]
        positions = np.flatnonzero(np.concatenate([wanted[chunk] for chunk in slices]))
        if rng is not None:
            rng.shuffle(positions)
        yield {"requests": slices, "splits": np.array_split(positions, -(-len(positions) // batch_size))}
