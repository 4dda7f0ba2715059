"""Cells of a data module that are held in memory, for judging points and for stopping early."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scvi import REGISTRY_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from scpareto._cells._split import Split

_BUFFER_RATIO = 1.5
"""Cells that may be held before the surplus is dropped, as a multiple of ``n_max``."""


@dataclass(frozen=True, eq=False)
class HeldCells:
    """Cells of a data module, in memory.

    Parameters
    ----------
    fields
        Counts as a sparse matrix, and codes of categories, by scvi-tools' keys of a minibatch.
    split
        Positions of training, validation and test cells among the held cells.
    n_cells
        Number of cells of each part of the data module, held or not.
    rows
        Rows of the held cells in the data module; None if the module does not give them.
    """

    fields: dict[str, Any]
    split: Split
    n_cells: dict[str, int]
    rows: NDArray[np.int64] | None = None


class CellSampler:
    """Draw a uniform random sample of cells that arrive in minibatches, without holding all of them.

    Each cell gets a random number; the cells with the smallest numbers are kept.

    Parameters
    ----------
    n_max
        Largest number of cells in the sample; None keeps all.
    rng
        Draws the numbers.
    """

    def __init__(self, n_max: int | None, rng: np.random.Generator) -> None:
        self.n_seen = 0
        self._n_max, self._rng = n_max, rng
        self._threshold = np.inf
        self._numbers: list[NDArray[np.float64]] = []
        self._cells: list[dict[str, Any]] = []

    def add(self, cells: Mapping[str, Tensor]) -> None:
        """Add the cells of a minibatch."""
        n = len(cells[REGISTRY_KEYS.X_KEY])
        self.n_seen += n
        numbers = self._rng.random(n)
        kept = np.flatnonzero(numbers < self._threshold)
        if not len(kept):
            return
        self._numbers.append(numbers[kept])
        arrays = {key: values.cpu().numpy()[kept] for key, values in cells.items()}
        self._cells.append(arrays | {REGISTRY_KEYS.X_KEY: sparse.csr_matrix(arrays[REGISTRY_KEYS.X_KEY])})
        if self._n_max is not None and sum(map(len, self._numbers)) > _BUFFER_RATIO * self._n_max:
            self._drop_surplus()

    def all(self) -> dict[str, Any]:
        """Return the sample, in the order of arrival."""
        if not self._numbers:
            return {}
        self._drop_surplus()
        return self._cells[0]

    def _drop_surplus(self) -> None:
        """Join the held cells and drop those beyond ``n_max``."""
        numbers, joined = np.concatenate(self._numbers), join_cells(self._cells)
        if self._n_max is not None and len(numbers) > self._n_max:
            self._threshold = np.partition(numbers, self._n_max)[self._n_max]
            kept = np.flatnonzero(numbers < self._threshold)
            numbers, joined = numbers[kept], {key: values[kept] for key, values in joined.items()}
        self._numbers, self._cells = [numbers], [joined]


def join_cells(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Concatenate several tables of cells, key by key."""
    return {
        key: sparse.vstack(values, format="csr") if sparse.issparse(values[0]) else np.concatenate(values)
        for key, values in ((key, [chunk[key] for chunk in chunks]) for key in chunks[0])
    }
