from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import non_dominated
from scpareto.pl._table import (
    as_table,
    default_plane,
    interval,
    is_higher_better,
    measures,
    names_of_extremes,
    objectives_of,
)
from scpareto.pl._titles import title_of

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.pareto import Front

_NOT_SHOWN = re.compile(r".*_(train|validation)|n_(epochs|cells)")


def describe_front(front: Front, selected: int | None) -> dict[str, Any]:
    """Describe every point of a front in plain values.

    Parameters
    ----------
    front
        The front.
    selected
        Number of the point that the model is in.

    Returns
    -------
    Plain values, None where unknown: `points` (number, name, preference, non_dominated), `selected` (place of the
    selected point), `metrics` (title, values, interval ends along the front, decimals worth
    writing), `plane` (the metrics on the axes, and
    which points no other dominates there) and `alarm` (one number in [0, 1] for each point; empty if not measured).
    """
    table = as_table(front)
    names = names_of_extremes(table)
    numbers = [int(point) for point in table["point"]]
    columns = [column for column in measures(table) if not _NOT_SHOWN.fullmatch(column)]
    return {
        "points": [
            {"number": number, "name": names.get(number, ""), "preference": _preference(table, row)}
            for row, number in enumerate(numbers)
        ],
        "selected": numbers.index(selected) if selected in numbers else 0,
        "metrics": [_metric(table, column) for column in columns],
        "plane": _plane(table, columns),
        "alarm": _plain(table["alarm"].to_numpy(dtype=float)) if "alarm" in columns else [],
    }


def _metric(table: pd.DataFrame, column: str) -> dict[str, Any]:
    values, ends = table[column].to_numpy(dtype=float), interval(table, column)
    return {
        "key": column,
        "title": title_of(column),
        "higher": is_higher_better(table, column),
        "digits": _digits(values),
        "values": _plain(values),
        "low": None if ends is None else _plain(ends[:, 0]),
        "high": None if ends is None else _plain(ends[:, 1]),
    }


def _digits(values: np.ndarray) -> int:
    """Decimals that tell the points apart: three digits of the range along the front."""
    span = float(np.nanmax(values) - np.nanmin(values))
    return int(np.clip(2 - np.floor(np.log10(span)), 0, 4)) if span > 0 else 3


def _plane(table: pd.DataFrame, columns: list[str]) -> dict[str, Any]:
    x, y = default_plane(table)
    if x not in columns or y not in columns:
        return {"x": None, "y": None, "kept": [False] * len(table)}
    xy = table[[x, y]].to_numpy(dtype=float)
    known = np.flatnonzero(np.isfinite(xy).all(axis=1))
    kept = np.zeros(len(table), dtype=bool)
    if len(known):
        kept[known] = non_dominated(xy[known])
    return {"x": columns.index(x), "y": columns.index(y), "kept": kept.tolist()}


def _preference(table: pd.DataFrame, row: int) -> str:
    objectives = [name for name in objectives_of(table)[1:] if f"preference_{name}" in table.columns]
    values = {name: float(table[f"preference_{name}"].iloc[row]) for name in objectives}
    return ", ".join(f"{title_of(f'preference_{k}')} {v:.3g}" for k, v in values.items() if np.isfinite(v))


def _plain(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
