"""Whether some point of a front is at least as good as a method on two axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.pl._table import is_higher_better

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FRONT = "front"


def beside_front(table: pd.DataFrame, *, x: str, y: str, front: str | None = None) -> pd.DataFrame:
    """Compare every other row with the points of a front of the same seed, see :meth:`Benchmark.beside_front`.

    Parameters
    ----------
    table
        Table of a benchmark.
    x, y
        Columns.
    front
        Name of the front.

    Returns
    -------
    One row per method, setting and seed.
    """
    for column in (x, y):
        if column not in table:
            raise ValueError(f"{column!r} is not a column of the table; it has {', '.join(map(str, table))}.")
    names = list(pd.unique(table.loc[table["family"] == _FRONT, "method"]))
    if front is None and len(names) == 1:
        front = names[0]
    if front not in names:
        raise ValueError(f"front={front!r} is not one of the fronts: {', '.join(names) or 'there is none'}.")
    signs = np.array([1.0 if is_higher_better(table, column) else -1.0 for column in (x, y)])
    known = table[(table["status"] == "finished") & table[[x, y]].notna().all(axis=1)]
    rows = []
    for seed, own in known.groupby("seed"):
        points = known[(known["method"] == front) & (known["seed"] == seed)]
        if points.empty:  # fronts given as models have the first seed only
            points = known[known["method"] == front]
        good = signs * points[[x, y]].to_numpy(dtype=float)
        for _, row in own[own["family"] != _FRONT].iterrows():
            rows.append(_compared(row, good, points["point"].to_numpy(), signs, (x, y)) | {"seed": seed})
    columns = ["method", "family", "setting", "seed", x, y, "dominated", "dominated_within", "by", "gain_x", "gain_y"]
    return pd.DataFrame(rows, columns=columns)


def _compared(
    row: pd.Series, good: NDArray, numbers: NDArray, signs: NDArray, columns: tuple[str, str]
) -> dict[str, Any]:
    own = signs * row[list(columns)].to_numpy(dtype=float)
    slack = np.array([_slack(row, column, sign) for column, sign in zip(columns, signs, strict=True)])
    gains = good - own
    # The worse of the two gains, in units that make both axes comparable: the spread of the front.
    scale = np.maximum(np.ptp(good, axis=0), 1e-9)
    best = int((gains / scale).min(axis=1).argmax())
    return {
        "method": row["method"],
        "family": row["family"],
        "setting": row["setting"],
        columns[0]: row[columns[0]],
        columns[1]: row[columns[1]],
        "dominated": bool((gains >= 0).all(axis=1).any()),
        "dominated_within": bool((gains >= -slack).all(axis=1).any()),
        "by": int(numbers[best]),
        "gain_x": float(gains[best, 0]),
        "gain_y": float(gains[best, 1]),
    }


def _slack(row: pd.Series, column: str, sign: float) -> float:
    """How much worse than its value a method may be, by its interval."""
    end = row.get(f"{column}_low" if sign > 0 else f"{column}_high", float("nan"))
    return 0.0 if pd.isna(end) else max(0.0, abs(float(row[column]) - float(end)))
