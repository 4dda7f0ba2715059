"""Columns of a front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._constants import DEAD

if TYPE_CHECKING:
    from collections.abc import Sequence

SPLITS = ("train", "validation", "test")
KINDS = ("extreme", "candidate", "conditional")

_JUDGE_COLUMNS = (
    *("batch_left", "batch_left_low", "batch_left_high"),
    *("structure_kept", "structure_kept_low", "structure_kept_high"),
    "alarm",
)


def preference_columns(objectives: Sequence[str]) -> list[str]:
    """Columns of the importance of each objective."""
    return [f"preference_{objective}" for objective in objectives]


def loss_columns(objectives: Sequence[str], split: str) -> list[str]:
    """Columns of the loss of each objective on one split."""
    if split not in SPLITS:
        raise ValueError(f"Unknown split {split!r}; choose from {list(SPLITS)}.")
    return [f"{objective}_{split}" for objective in objectives]


def tidy_table(table: pd.DataFrame, objectives: Sequence[str]) -> pd.DataFrame:
    """Return a copy with all standard columns first and in order, one type per column, sorted by point.

    Unknown numbers are NaN; further columns stay as they are.
    """
    if "point" not in table:
        raise ValueError(f"The table of a front needs a column 'point', got {list(table.columns)}.")
    losses = [f"{objective}_{split}" for objective in objectives for split in SPLITS]
    numbers = [*preference_columns(objectives), *losses, *_JUDGE_COLUMNS]
    tidied = pd.DataFrame(index=table.index)
    tidied["point"] = table["point"].astype(np.int64)
    kinds = table["kind"] if "kind" in table else pd.Series(index=table.index, dtype=object)
    tidied["kind"] = kinds.astype(object).where(kinds.notna(), "candidate")
    for column in numbers:
        tidied[column] = table[column].astype(np.float64) if column in table else np.nan
    tidied["non_dominated"] = False
    # Nullable, because seeds must not become floats if some are missing.
    tidied["seed"] = table["seed"].astype("Int64") if "seed" in table else pd.array([pd.NA] * len(table), dtype="Int64")
    further = [column for column in table.columns if column not in tidied.columns]
    marks = [f"{objective}{DEAD}" for objective in objectives]
    marked = {mark: table[mark].eq(True) for mark in marks if mark in table}
    tidied = pd.concat([tidied, table[further].assign(**marked)], axis=1).sort_values("point", ignore_index=True)
    _check(tidied)
    return tidied


def _check(table: pd.DataFrame) -> None:
    if (table["point"] < 0).any():
        raise ValueError(f"Points are numbered from 0, got {int(table['point'].min())}.")
    repeated = table["point"][table["point"].duplicated()]
    if len(repeated):
        raise ValueError(f"Point {int(repeated.iloc[0])} appears more than once.")
    unknown = sorted({str(kind) for kind in table["kind"]} - set(KINDS))
    if unknown:
        raise ValueError(f"Unknown kind of point {unknown[0]!r}; choose from {list(KINDS)}.")
