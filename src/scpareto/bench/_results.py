"""Store the rows of a benchmark, and write them to a file after each run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._runtime import write_atomically

if TYPE_CHECKING:
    import os

FINISHED, FAILED = "finished", "failed"
_RUN_COLUMNS = ("method", "setting", "seed")
_FIRST_COLUMNS = (
    *("method", "family", "setting", "strength", "point", "selected", "seed", "status", "reason", "fits", "labels"),
    *("n_cells", "n_test", "seconds", "cpu_seconds", "peak_mb"),
)


class Results:
    """Rows of finished and failed runs.

    Parameters
    ----------
    path
        CSV file for the rows, read at the start if it exists; None for no file.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = None if path is None else Path(path)
        self._rows = pd.DataFrame()
        if self._path is not None and self._path.exists():
            rows = pd.read_csv(self._path)
            self._rows = rows.assign(setting=rows["setting"].fillna(""), reason=rows["reason"].fillna(""))

    def has(self, method: str, setting: str, seed: int) -> bool:
        """Whether a run has finished."""
        rows = self._rows
        if rows.empty:
            return False
        same_run = (rows["method"] == method) & (rows["setting"] == setting) & (rows["seed"] == seed)
        return bool((same_run & (rows["status"] == FINISHED)).any())

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Add the rows of a run, replacing those of an earlier failure, and write all rows to the file."""
        new_rows, old_rows = pd.DataFrame(rows), self._rows
        if len(old_rows):
            same_run = np.all([(old_rows[key] == rows[0][key]).to_numpy() for key in _RUN_COLUMNS], axis=0)
            old_rows = old_rows[~same_run]
        self._rows = pd.concat([old_rows, new_rows], ignore_index=True) if len(old_rows) else new_rows
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with write_atomically(self._path) as file:
                self.table().to_csv(file, index=False)

    def table(self) -> pd.DataFrame:
        """Return all rows; the columns that describe the run come first."""
        if self._rows.empty:
            return pd.DataFrame(columns=list(_FIRST_COLUMNS))
        columns = [*_FIRST_COLUMNS, *(c for c in self._rows if c not in _FIRST_COLUMNS)]
        return self._rows.reindex(columns=columns).reset_index(drop=True)
