"""Checks of the arguments of a front, before any training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import Split, ordered_split, split_in_two, stratified_split
from scpareto._runtime import child_seed
from scpareto.front import _seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from scpareto.front._options import FrontOptions
    from scpareto.pareto import Solver

_MIN_CELLS = {"training": 3, "validation": 2, "test": 5}
"""Smallest number of cells of each part of a split; probes are cross-fitted in five folds."""


def check_preferences(
    solver: type[Solver], n_points: int, preferences: ArrayLike | None, n_objectives: int
) -> NDArray[np.float64]:
    """Return preferences as a matrix, from uncorrected to strongest; by default those of the solver."""
    if preferences is None:
        return solver.default_preferences(n_points - n_objectives, n_objectives)
    grid = np.asarray(preferences, dtype=float)
    if grid.ndim == 1 and n_objectives == 2:
        grid = np.column_stack([1 - grid, grid])
    if grid.ndim != 2 or grid.shape[1] != n_objectives or len(grid) < 2:
        raise ValueError(f"preferences have shape {grid.shape}: give at least two, as (n_preferences, {n_objectives}).")
    if np.any(grid < 0) or not np.allclose(grid.sum(1), 1):
        raise ValueError(f"preferences must be non-negative and sum to 1, got {grid.tolist()}.")
    return grid[np.argsort(-grid[:, 0], kind="stable")]


def make_split(options: FrontOptions, batch: NDArray[Any], seed: int, names: Sequence[Any]) -> Split:
    """Return the checked split that the arguments of a front ask for."""
    given = options.split
    if given is None and options.external_indexing is not None:
        given = _three_parts(options.external_indexing, batch, seed, names)
    elif given is None and (options.fractions is not None or not options.shuffle_set_split):
        fractions = options.fractions or (0.7, 0.1, 0.2)
        if options.shuffle_set_split:
            drawn = stratified_split(np.ravel(batch), fractions=fractions, seed=child_seed(seed, _seeds.SPLIT))
        else:
            drawn = ordered_split(len(batch), fractions)
        given = [part for _, part in drawn.items()]
    return check_split(given, batch, seed, names=names)


def _three_parts(
    external: Sequence[ArrayLike | None], batch: NDArray[Any], seed: int, names: Sequence[Any]
) -> list[ArrayLike]:
    """Return the rows of each part; if no test cells are given, two thirds of the held-out cells become test cells."""
    given = [part for part in external if part is not None and len(np.asarray(part))]
    if len(given) == 3:
        return given
    if len(given) != 2 or len(external) == 3 and external[1] is None:
        raise ValueError(
            f"external_indexing has {len(given)} parts with cells: give rows of training and held-out cells, or of "
            "training, validation and test cells."
        )
    held_out = _rows_of_part(given[1], len(batch), names)
    return [given[0], *split_in_two(held_out, np.ravel(batch)[held_out], 1 / 3, seed=child_seed(seed, _seeds.SPLIT))]


def check_loader_kwargs(loader_kwargs: dict[str, Any], n_train: int, batch_size: int) -> dict[str, Any]:
    """Return the arguments of the data loaders; refuse them if they leave no minibatch to train on."""
    if loader_kwargs.get("drop_last") and n_train < batch_size:
        raise ValueError(
            f"drop_last=True leaves no minibatch: there are {n_train} training cells and batch_size={batch_size}."
        )
    return loader_kwargs


def check_split(
    split: Sequence[ArrayLike] | None, batch: NDArray[Any], seed: int, *, names: Sequence[Any] | None = None
) -> Split:
    """Return a split given by rows, masks or names of cells, by default one that is stratified by batch."""
    if split is None:
        return stratified_split(np.asarray(batch).ravel(), seed=child_seed(seed, _seeds.SPLIT))
    if len(split) != 3:
        raise ValueError(f"split has {len(split)} parts: give the indices of training, validation and test cells.")
    parts = [_rows_of_part(part, len(batch), names) for part in split]
    all_rows = np.concatenate(parts)
    if len(all_rows) and (all_rows.min() < 0 or all_rows.max() >= len(batch)):
        raise ValueError(f"split has indices from {all_rows.min()} to {all_rows.max()}, for {len(batch)} cells.")
    for (name, least), part in zip(_MIN_CELLS.items(), parts, strict=True):
        if len(part) < least:
            raise ValueError(f"split: {len(part)} {name} cells are too few; give at least {least}.")
    if len(np.unique(all_rows)) != len(all_rows):
        raise ValueError("split: the three parts must share no cell.")
    return Split(*parts)


def _rows_of_part(part: ArrayLike, n_cells: int, names: Sequence[Any] | None) -> NDArray[np.int64]:
    """Return the rows of the cells of a part that is given by rows, a mask or names."""
    given = np.asarray(part)
    if given.ndim != 1:
        raise ValueError(f"split: a part has shape {given.shape}; give a list of rows, a mask or names of cells.")
    if given.dtype == bool and len(given) == n_cells:
        return np.flatnonzero(given)
    if given.dtype.kind in "iu" or not len(given):
        return given.astype(np.int64)
    if given.dtype.kind in "OUT" and names is not None:
        index = pd.Index(names)
        rows = index.get_indexer(given.tolist()) if index.is_unique else np.full(len(given), -1)
        if (rows >= 0).all():
            return rows.astype(np.int64)
        raise ValueError(f"split: {str(given[int(np.argmin(rows))])!r} is not the name of one cell of adata.obs_names.")
    raise ValueError(f"split: a part holds {given.dtype}; give rows, a mask of {n_cells} cells, or names of cells.")
