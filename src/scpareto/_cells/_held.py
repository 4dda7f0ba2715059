"""Cells of a data module that are held in memory: those that are judged, and those that decide when to stop."""

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

_ROOM = 1.5
"""Cells that are kept until the surplus is dropped, as a multiple of those that are wanted."""


@dataclass(frozen=True, eq=False)
class HeldCells:
    """Cells of a data module, in memory.

    Parameters
    ----------
    fields
        Counts as a sparse matrix, and codes of categories, by scvi-tools' keys of a minibatch.
    split
        Training, validation and test cells among them.
    n_cells
        Cells of each part of the data module, held or not.
    rows
        Rows of the cells in the data module; None where it does not say.
    """

    fields: dict[str, Any]
    split: Split
    n_cells: dict[str, int]
    rows: NDArray[np.int64] | None = None


class RandomCells:
    """Some of the cells that pass by, each with the same chance; no more than that are held.

    Each cell draws a number, and the cells with the smallest ones stay.

    Parameters
    ----------
    most
        Cells that are kept at most; None for all.
    rng
        Draws the numbers.
    """

    def __init__(self, most: int | None, rng: np.random.Generator) -> None:
        self.n_seen = 0
        self._most, self._rng = most, rng
        self._below = np.inf
        self._keys: list[NDArray[np.float64]] = []
        self._kept: list[dict[str, Any]] = []

    def add(self, cells: Mapping[str, Tensor]) -> None:
        """Let the cells of a minibatch pass."""
        n = len(cells[REGISTRY_KEYS.X_KEY])
        self.n_seen += n
        keys = self._rng.random(n)
        stays = np.flatnonzero(keys < self._below)
        if not len(stays):
            return
        self._keys.append(keys[stays])
        arrays = {key: values.cpu().numpy()[stays] for key, values in cells.items()}
        self._kept.append(arrays | {REGISTRY_KEYS.X_KEY: sparse.csr_matrix(arrays[REGISTRY_KEYS.X_KEY])})
        if self._most is not None and sum(map(len, self._keys)) > _ROOM * self._most:
            self._drop()

    def all(self) -> dict[str, Any]:
        """Return the cells that are kept, in the order in which they came."""
        if not self._keys:
            return {}
        self._drop()
        return self._kept[0]

    def _drop(self) -> None:
        """Join what is kept, without the surplus."""
        keys, joined = np.concatenate(self._keys), join_cells(self._kept)
        if self._most is not None and len(keys) > self._most:
            self._below = np.partition(keys, self._most)[self._most]
            stays = np.flatnonzero(keys < self._below)
            keys, joined = keys[stays], {key: values[stays] for key, values in joined.items()}
        self._keys, self._kept = [keys], [joined]


def join_cells(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """One table of several, by key."""
    return {
        key: sparse.vstack(values, format="csr") if sparse.issparse(values[0]) else np.concatenate(values)
        for key, values in ((key, [part[key] for part in parts]) for key in parts[0])
    }
