"""The same numbers of cells that no training has seen, beside those of all cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from scpareto.metrics import BatchLeft, StructureKept

_LEAST_CELLS = 20
_ENDS = ("", "_low", "_high")
_WORDS = {"batch_left": "the batch left", "structure_kept": "the structure kept"}


def check_held_out(mask: NDArray[np.bool_], batch: NDArray[np.str_]) -> None:
    """Refuse held-out cells that are too few to judge.

    Raises
    ------
    ValueError
        If a batch has fewer than 20 of them.
    """
    levels, of_cell = np.unique(batch, return_inverse=True)
    sizes = np.bincount(of_cell[mask], minlength=len(levels))
    small = [f"{level} ({n})" for level, n in zip(levels, sizes, strict=True) if n < _LEAST_CELLS]
    if small:
        raise ValueError(
            f"held_out marks fewer than {_LEAST_CELLS} cells of {', '.join(small[:5])}, too few to judge. Leave "
            "held_out out, or such batches."
        )


def held_out_columns(left: BatchLeft, kept: StructureKept | None) -> pd.DataFrame:
    """Columns of held-out cells, one row per embedding.

    Parameters
    ----------
    left, kept
        What was found of them.
    """
    columns = left.table.rename(columns={"low": "batch_left_low", "high": "batch_left_high"})
    columns = columns[[f"batch_left{end}" for end in _ENDS]]
    if kept is not None:
        ends = {"low": "structure_kept_low", "high": "structure_kept_high"}
        of_structure = kept.table.set_index("embedding").rename(columns=ends)
        columns = columns.join(of_structure[[f"structure_kept{end}" for end in _ENDS]], how="outer")
    return columns.rename(columns=_held_out_name)


def by_held_out(table: pd.DataFrame) -> pd.DataFrame:
    """Table in which numbers of held-out cells stand in for those of all cells, to choose by."""
    swapped = table.copy()
    for number in _WORDS:
        if _held_out_name(number) in table:
            swapped[number] = table[_held_out_name(number)]
    return swapped


def told_of_held_out(table: pd.DataFrame, names: list[str]) -> str:
    """Say what was found of held-out cells, or that all numbers are of cells that were trained on."""
    if _held_out_name("batch_left") not in table:
        return "All numbers are of cells that the embeddings were made of"
    words = [(number, what) for number, what in _WORDS.items() if _held_out_name(number) in table]
    parts = []
    for name in names:
        values = {what: table[_held_out_name(number)].to_numpy()[table.index.get_loc(name)] for number, what in words}
        told = [f"{value + 0.0:.0f} % of {what}" for what, value in values.items() if np.isfinite(value)]
        if told:
            parts.append(f"{name} {' and '.join(told)}")
    return f"In held-out cells: {'; '.join(parts)}" if parts else ""


def _held_out_name(column: str) -> str:
    """``batch_left_low`` becomes ``batch_left_held_out_low``."""
    for end in ("_low", "_high"):
        if column.endswith(end):
            return f"{column.removesuffix(end)}_held_out{end}"
    return f"{column}_held_out"
