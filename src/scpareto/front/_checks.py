"""Checks of the arguments of a front, before any training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._cells import Split, stratified_split
from scpareto._runtime import child_seed
from scpareto.front import _seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto import Solver

_LEAST_OF = {"training": 3, "validation": 2, "test": 5}
"""Cells of a part below which nothing can be learned, chosen or judged; probes are cross-fitted in five parts."""


def checked_grid(
    solver: type[Solver], n_points: int, preferences: ArrayLike | None, n_objectives: int
) -> NDArray[np.float64]:
    """Preferences as a matrix, from uncorrected to strongest; the solver's own where none are given."""
    if preferences is None:
        if isinstance(n_points, bool) or int(n_points) != n_points or n_points < n_objectives:
            raise ValueError(f"n_points={n_points}: a front needs at least {n_objectives} preferences.")
        return solver.default_preferences(int(n_points), n_objectives)
    grid = np.asarray(preferences, dtype=float)
    if grid.ndim == 1 and n_objectives == 2:
        grid = np.column_stack([1 - grid, grid])
    if grid.ndim != 2 or grid.shape[1] != n_objectives or len(grid) < 2:
        raise ValueError(f"preferences have shape {grid.shape}: give at least two, as (n_points, {n_objectives}).")
    if np.any(grid < 0) or not np.allclose(grid.sum(1), 1):
        raise ValueError(f"preferences must be non-negative and sum to 1, got {grid.tolist()}.")
    return grid[np.argsort(-grid[:, 0], kind="stable")]


def checked_split(split: Sequence[ArrayLike] | None, batch: NDArray[Any], seed: int) -> Split:
    """Return the given split, or one that is stratified by batch."""
    if split is None:
        return stratified_split(np.asarray(batch).ravel(), seed=child_seed(seed, _seeds.SPLIT))
    if len(split) != 3:
        raise ValueError(f"split has {len(split)} parts: give the indices of training, validation and test cells.")
    parts = [np.asarray(part, dtype=np.int64) for part in split]
    together = np.concatenate(parts)
    if len(together) and (together.min() < 0 or together.max() >= len(batch)):
        raise ValueError(f"split has indices from {together.min()} to {together.max()}, for {len(batch)} cells.")
    for (name, least), part in zip(_LEAST_OF.items(), parts, strict=True):
        if len(part) < least:
            raise ValueError(f"split: {len(part)} {name} cells are too few; give at least {least}.")
    if len(np.unique(together)) != len(together):
        raise ValueError("split: the three parts must share no cell.")
    return Split(*parts)


def devices_of(accelerator: str, devices: int | list[int] | str) -> int | list[int] | str:
    """Devices in Lightning's words: it knows no "auto" number of CPUs."""
    if accelerator in ("auto", "cpu") and devices in ("auto", -1):
        return 1
    return devices
