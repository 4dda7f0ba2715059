"""Find out whether a point of a front is at least as good as a method on two axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.pareto import is_higher_better

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FRONT = "front"
_INFORMATION = ("leakage_", "nn_")
_MIN_SCALE = 1e-9


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
    measured_rows = table[(table["status"] == "finished") & table[[x, y]].notna().all(axis=1)]
    rows = []
    for seed, rows_of_seed in measured_rows.groupby("seed"):
        points = measured_rows[(measured_rows["method"] == front) & (measured_rows["seed"] == seed)]
        if points.empty:  # fronts of given models exist for the first seed only
            points = measured_rows[measured_rows["method"] == front]
        for _, row in rows_of_seed[rows_of_seed["family"] != _FRONT].iterrows():
            rows.append(_compare(row, points, (x, y), signs) | {"seed": seed})
    columns = ["method", "family", "setting", "seed", x, y, "dominated", "dominated_within", "by", "gain_x", "gain_y"]
    return pd.DataFrame(rows, columns=columns)


def _compare(row: pd.Series, points: pd.DataFrame, columns: tuple[str, str], signs: NDArray) -> dict[str, Any]:
    """Compare one method with all points of a front."""
    method_values, front_values = _values(row.to_frame().T, columns) * signs, _values(points, columns) * signs
    gains = front_values - method_values
    # Half-width of the interval of the difference; the errors of method and point are independent, so squares add.
    slack = np.hypot(_half_widths(row.to_frame().T, columns, -signs), _half_widths(points, columns, signs))
    # Gains are divided by the range of the front, to make both axes comparable; the smaller of the two counts.
    scale = np.maximum(np.ptp(front_values, axis=0), _MIN_SCALE)
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
    """Return the values of two columns, shape ``(n, 2)``; negative information is set to 0."""
    values = rows[list(columns)].to_numpy(dtype=float)
    is_information = [column.startswith(_INFORMATION) for column in columns]
    return np.where(is_information, np.maximum(values, 0), values)


def _half_widths(rows: pd.DataFrame, columns: tuple[str, str], signs: NDArray) -> NDArray:
    """Return the one-sided half-widths of the intervals, shape ``(n, 2)``; 0 without intervals."""
    half_widths = np.zeros((len(rows), 2))
    for i, (column, sign) in enumerate(zip(columns, signs, strict=True)):
        end = f"{column}_high" if sign > 0 else f"{column}_low"
        if end in rows:
            distance = np.abs(rows[end].to_numpy(dtype=float) - rows[column].to_numpy(dtype=float))
            half_widths[:, i] = np.nan_to_num(distance)
    return half_widths
