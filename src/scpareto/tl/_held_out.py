"""Batch left and structure kept in cells that no training has seen, beside those of all cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from scpareto.metrics import BatchLeft, StructureKept

_MIN_CELLS = 20
_SUFFIXES = ("", "_low", "_high")
_MEASURES = {"batch_left": "the batch left", "structure_kept": "the structure kept"}


def check_held_out(mask: NDArray[np.bool_], batch: NDArray[np.str_]) -> None:
    """Raise an error if held-out cells are too few to judge.

    Raises
    ------
    ValueError
        If a batch has fewer than 20 of them.
    """
    levels, batch_of_cell = np.unique(batch, return_inverse=True)
    sizes = np.bincount(batch_of_cell[mask], minlength=len(levels))
    small = [f"{level} ({n})" for level, n in zip(levels, sizes, strict=True) if n < _MIN_CELLS]
    if small:
        raise ValueError(
            f"held_out marks fewer than {_MIN_CELLS} cells of {', '.join(small[:5])}, too few to judge. Leave "
            "held_out out, or such batches."
        )


def held_out_columns(left: BatchLeft, kept: StructureKept | None) -> pd.DataFrame:
    """Return the columns of held-out cells, one row per embedding.

    Parameters
    ----------
    left, kept
        Batch left and structure kept in the held-out cells.
    """
    columns = left.table.rename(columns={"low": "batch_left_low", "high": "batch_left_high"})
    columns = columns[[f"batch_left{suffix}" for suffix in _SUFFIXES]]
    if kept is not None:
        interval_columns = {"low": "structure_kept_low", "high": "structure_kept_high"}
        structure = kept.table.set_index("embedding").rename(columns=interval_columns)
        columns = columns.join(structure[[f"structure_kept{suffix}" for suffix in _SUFFIXES]], how="outer")
    return columns.rename(columns=_held_out_name)


def use_held_out_values(table: pd.DataFrame) -> pd.DataFrame:
    """Return a copy of the table with numbers of held-out cells in place of those of all cells."""
    swapped = table.copy()
    for number in _MEASURES:
        if _held_out_name(number) in table:
            swapped[number] = table[_held_out_name(number)]
    return swapped


def describe_held_out(table: pd.DataFrame, names: list[str]) -> str:
    """State the numbers of held-out cells, or that all numbers are of cells that were trained on."""
    if _held_out_name("batch_left") not in table:
        return "All numbers are of cells that the embeddings were made of"
    measures = [(number, noun) for number, noun in _MEASURES.items() if _held_out_name(number) in table]
    parts = []
    for name in names:
        values = {
            noun: table[_held_out_name(number)].to_numpy()[table.index.get_loc(name)] for number, noun in measures
        }
        texts = [f"{value + 0.0:.0f} % of {noun}" for noun, value in values.items() if np.isfinite(value)]
        if texts:
            parts.append(f"{name} {' and '.join(texts)}")
    return f"In held-out cells: {'; '.join(parts)}" if parts else ""


def _held_out_name(column: str) -> str:
    """``batch_left_low`` becomes ``batch_left_held_out_low``."""
    for suffix in ("_low", "_high"):
        if column.endswith(suffix):
            return f"{column.removesuffix(suffix)}_held_out{suffix}"
    return f"{column}_held_out"
