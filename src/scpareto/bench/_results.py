"""The rows of a benchmark, kept in a file as soon as they are there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._runtime import write_atomically

if TYPE_CHECKING:
    import os

FINISHED, FAILED = "finished", "failed"
_KEYS = ("method", "setting", "seed")
_FIRST = (
    *("method", "family", "setting", "strength", "point", "selected", "seed", "status", "reason", "fits", "labels"),
    *("n_cells", "n_test", "seconds", "cpu_seconds", "peak_mb"),
)


class Results:
    """Rows of finished and failed runs.

    Parameters
    ----------
    path
        CSV file that keeps them, read at the start where it exists; None for none.
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
        own = (rows["method"] == method) & (rows["setting"] == setting) & (rows["seed"] == seed)
        return bool((own & (rows["status"] == FINISHED)).any())

    def keep(self, rows: list[dict[str, Any]]) -> None:
        """Add the rows of a run, in place of those of an earlier failure, and write all to the file."""
        new, old = pd.DataFrame(rows), self._rows
        if len(old):
            same = np.all([(old[key] == rows[0][key]).to_numpy() for key in _KEYS], axis=0)
            old = old[~same]
        self._rows = pd.concat([old, new], ignore_index=True) if len(old) else new
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with write_atomically(self._path) as file:
                self.table().to_csv(file, index=False)

    def table(self) -> pd.DataFrame:
        """Return all rows, columns that say what was run first."""
        if self._rows.empty:
            return pd.DataFrame(columns=list(_FIRST))
        columns = [*_FIRST, *(c for c in self._rows if c not in _FIRST)]
        return self._rows.reindex(columns=columns).reset_index(drop=True)
