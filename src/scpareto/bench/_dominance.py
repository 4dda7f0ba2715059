"""Whether some point of a front is at least as good as a method on two axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.pareto import is_higher_better

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FRONT = "front"
_INFORMATION = ("leakage_", "nn_")
_TINY = 1e-9


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
    signs = np.array([1.0 if is_higher_better(column) else -1.0 for column in (x, y)])
    known = table[(table["status"] == "finished") & table[[x, y]].notna().all(axis=1)]
    rows = []
    for seed, own in known.groupby("seed"):
        points = known[(known["method"] == front) & (known["seed"] == seed)]
        if points.empty:  # fronts given as models have the first seed only
            points = known[known["method"] == front]
        for _, row in own[own["family"] != _FRONT].iterrows():
            rows.append(_compared(row, points, (x, y), signs) | {"seed": seed})
    columns = ["method", "family", "setting", "seed", x, y, "dominated", "dominated_within", "by", "gain_x", "gain_y"]
    return pd.DataFrame(rows, columns=columns)


def _compared(row: pd.Series, points: pd.DataFrame, columns: tuple[str, str], signs: NDArray) -> dict[str, Any]:
    """Compare one method with all points of a front."""
    own, good = _values(row.to_frame().T, columns) * signs, _values(points, columns) * signs
    gains = good - own
    # A method may be worse, and a point of the front better, than measured: squares add up to those of the difference.
    slack = np.hypot(_half_widths(row.to_frame().T, columns, -signs), _half_widths(points, columns, signs))
    # The worse of the two gains, in units that make both axes comparable: the spread of the front.
    scale = np.maximum(np.ptp(good, axis=0), _TINY)
    best = int((gains / scale).min(axis=1).argmax())
    return {
        "method": row["method"],
        "family": row["family"],
        "setting": row["setting"],
        columns[0]: row[columns[0]],
        columns[1]: row[columns[1]],
        "dominated": bool((gains >= 0).all(axis=1).any()),
        "dominated_within": bool((gains >= -slack).all(axis=1).any()),
        "by": int(points["point"].iloc[best]),
        "gain_x": float(gains[best, 0]),
        "gain_y": float(gains[best, 1]),
    }


def _values(rows: pd.DataFrame, columns: tuple[str, str]) -> NDArray:
    """Values of two columns, shape ``(n, 2)``; information below 0 is none."""
    values = rows[list(columns)].to_numpy(dtype=float)
    is_information = [column.startswith(_INFORMATION) for column in columns]
    return np.where(is_information, np.maximum(values, 0), values)


def _half_widths(rows: pd.DataFrame, columns: tuple[str, str], signs: NDArray) -> NDArray:
    """Distances from the values to the ends of their intervals on one side, shape ``(n, 2)``; 0 without intervals."""
    found = np.zeros((len(rows), 2))
    for i, (column, sign) in enumerate(zip(columns, signs, strict=True)):
        end = f"{column}_high" if sign > 0 else f"{column}_low"
        if end in rows:
            distance = np.abs(rows[end].to_numpy(dtype=float) - rows[column].to_numpy(dtype=float))
            found[:, i] = np.nan_to_num(distance)
    return found
