"""One fixed split of the cells for every point of a front."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Split:
    """Indices of the cells of each part, sorted.

    Parameters
    ----------
    train
        Cells that models and critics learn from.
    validation
        Cells that decide on stopping, scaling and selection.
    test
        Cells of every reported number.

    Examples
    --------
    >>> import numpy as np
    >>> from scpareto.front import Split
    >>> split = Split(train=np.array([0, 1, 4]), validation=np.array([5]), test=np.array([2, 3]))
    >>> split.held_out.tolist()
    [2, 3, 5]
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    @property
    def held_out(self) -> NDArray[np.int64]:
        """Validation and test cells, on which no gradient was computed; sorted."""
        return np.union1d(self.validation, self.test)

    @classmethod
    def from_plain(cls, indices: Mapping[str, ArrayLike]) -> Self:
        """Rebuild from arrays or tensors keyed by part name, as in the metadata of a front."""
        return cls(*(np.asarray(indices[name]) for name in ("train", "validation", "test")))

    def items(self) -> list[tuple[str, NDArray[np.int64]]]:
        """Return pairs of part name and indices."""
        return [("train", self.train), ("validation", self.validation), ("test", self.test)]


MAX_JUDGED_CELLS = 100_000
"""Most cells that points are judged on, which bounds the memory of codes, critics and neighbour graphs."""


def sample_judged_cells(
    split: Split, batch: ArrayLike, *, max_cells: int = MAX_JUDGED_CELLS, seed: int = 0
) -> tuple[NDArray[np.int64] | None, Split]:
    """Choose the cells that points are judged on: all, or a random sample stratified by part and batch.

    The sample depends on the split and the seed only, so that every judgement of a front uses the same cells.

    Parameters
    ----------
    split
        Parts of the cells.
    batch
        Batch of each cell, shape ``(n_cells,)``.
    max_cells
        With more cells than this, a sample of about this size is drawn. Parts and batches keep their shares, and each
        batch of a part keeps at least one cell.
    seed
        Seed of the sample.

    Returns
    -------
    Rows of the chosen cells, sorted, None for all; and the split as positions among them.
    """
    batch = np.asarray(batch).ravel()
    if len(batch) <= max_cells:
        return None, split
    rng = np.random.default_rng(seed)
    share = max_cells / sum(len(part) for _, part in split.items())
    parts = []
    for _, part in split.items():
        by_batch = (part[batch[part] == level] for level in np.unique(batch[part]))
        samples = [rng.choice(rows, min(len(rows), math.ceil(share * len(rows))), replace=False) for rows in by_batch]
        parts.append(np.sort(np.concatenate(samples)))
    cells = np.sort(np.concatenate(parts))
    return cells, Split(*(np.searchsorted(cells, part) for part in parts))


def ordered_split(n_cells: int, fractions: tuple[float, float, float]) -> Split:
    """Split cells in stored order, as scvi-tools does without shuffling: validation, training, test.

    Parameters
    ----------
    n_cells
        Number of cells.
    fractions
        Shares of training, validation and test cells.
    """
    n_validation, n_train = math.floor(n_cells * fractions[1]), math.ceil(n_cells * fractions[0])
    validation, train, test = np.split(np.arange(n_cells), [n_validation, n_validation + n_train])
    return Split(train, validation, test)


def split_in_two(
    cells: NDArray[np.int64], labels: ArrayLike, share: float, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split cells in two at random within each level of ``labels``; both parts are sorted.

    Parameters
    ----------
    cells
        Rows.
    labels
        Level of each of them, such as the batch.
    share
        Share of the first part. It has at least one cell of each level of two or more cells.
    seed
        Seed of the permutation.
    """
    labels, rng = np.asarray(labels), np.random.default_rng(seed)
    first, second = [cells[:0]], [cells[:0]]
    for level in np.unique(labels):
        level_cells = rng.permutation(cells[labels == level])
        n = max(1, round(share * len(level_cells))) if len(level_cells) > 1 else 0
        first.append(level_cells[:n])
        second.append(level_cells[n:])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))


def stratified_split(
    labels: ArrayLike, *, fractions: tuple[float, float, float] = (0.7, 0.1, 0.2), seed: int = 0
) -> Split:
    """Split cells at random within each level of ``labels``.

    Parameters
    ----------
    labels
        Batch of each cell, shape ``(n_cells,)``.
    fractions
        Shares of training, validation and test cells.
    seed
        Seed of the permutation.

    Returns
    -------
    The split. A batch of three cells or more has at least one cell in every part; a smaller one is for training.

    Raises
    ------
    ValueError
        If the fractions are not positive or do not sum to 1.

    Examples
    --------
    Every batch is split 70/10/20 %, and one of two cells is for training:

    >>> import numpy as np
    >>> from scpareto.front import stratified_split
    >>> batch = np.repeat(["a", "b", "c"], [100, 10, 2])
    >>> for part, cells in stratified_split(batch).items():
    ...     print(part, [int((batch[cells] == name).sum()) for name in "abc"])
    train [70, 7, 2]
    validation [10, 1, 0]
    test [20, 2, 0]
    """
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions={fractions} must be positive and sum to 1 (training, validation, test).")
    labels = np.asarray(labels)
    rng = np.random.default_rng(seed)
    parts: tuple[list[NDArray[np.int64]], ...] = ([], [], [])
    for level in np.unique(labels):
        cells = rng.permutation(np.flatnonzero(labels == level))
        n = len(cells)
        n_validation = min(max(1, round(n * fractions[1])), n - 2) if n >= 3 else 0
        n_test = min(max(1, round(n * fractions[2])), n - n_validation - 1) if n >= 3 else 0
        for part, rows in zip(parts, np.split(cells, [n - n_test - n_validation, n - n_test]), strict=True):
            part.append(rows)
    return Split(*(np.sort(np.concatenate(part)) for part in parts))
