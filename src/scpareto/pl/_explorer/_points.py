"""Describe the points of a front in plain values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import sweep_record, value_in_words
from scpareto.pl._plane import find_non_dominated
from scpareto.pl._table import (
    as_table,
    choose_default_plane,
    find_judged_plane,
    get_interval,
    get_objectives,
    is_higher_better,
    is_percent,
    list_measures,
    name_extremes,
)
from scpareto.pl._titles import get_title

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.pareto import Front

_HIDDEN_COLUMNS = re.compile(
    r".*_(train|validation|in_sample)|n_(epochs|cells)|information|composition_erased|structure_lost|value|seconds"
)

_ONE_DIGIT_BELOW = 20.0
"""If the range of a percentage along the front is smaller, values get one decimal."""


def describe_front(front: Front, selected: int | None, recommended: int | None) -> dict[str, Any]:
    """Describe every point of a front in plain values.

    Parameters
    ----------
    front
        The front.
    selected
        Number of the model's selected point.
    recommended
        Number of the recommended point of the whole front.

    Returns
    -------
    Plain values, None if unknown: `points` (number, name, preference), `selected` and `recommended` (indices of these
    points), `metrics` (title, values, interval ends along the front, number of decimals; batch left and structure kept
    first, the alarm last), `plane` (the metrics on the axes, and the mask of non-dominated points, as
    :func:`scpareto.pl.front` draws them) and `alarm` (one number in [0, 1] for each point; empty if not measured).
    """
    table = as_table(front)
    names = name_extremes(table)
    numbers = [int(point) for point in table["point"]]
    plane_columns = find_judged_plane(table) or ()
    columns = [
        column
        for column in list_measures(table)
        if not _HIDDEN_COLUMNS.fullmatch(column) and column not in plane_columns
    ]
    columns = [*plane_columns, *sorted(columns, key=lambda column: column == "alarm")]
    return {
        "points": [
            {
                "number": number,
                "name": names.get(number, ""),
                "preference": value_in_words(front, number) or _describe_preference(table, row),
            }
            | _make_code_line(front, number)
            for row, number in enumerate(numbers)
        ],
        "selected": numbers.index(selected) if selected in numbers else 0,
        "recommended": numbers.index(recommended) if recommended in numbers else None,
        "metrics": [_describe_metric(table, column) for column in columns],
        "plane": _describe_plane(table, columns),
        "alarm": _to_plain(table["alarm"].to_numpy(dtype=float)) if "alarm" in columns else [],
    }


def _make_code_line(front: Front, number: int) -> dict[str, str]:
    """Return the line of Python that reads a point of a sweep; empty for fronts with a model."""
    record = sweep_record(front)
    if record is None:
        return {}
    key = record["key"] or front.table["use_rep"].iloc[front.numbers.index(number)]
    return {"line": f'adata.obsm["{key}"] = front.codes[{number}]' if record["key"] else f'adata.obsm["{key}"]'}


def _describe_metric(table: pd.DataFrame, column: str) -> dict[str, Any]:
    values, ends = table[column].to_numpy(dtype=float), get_interval(table, column)
    return {
        "key": column,
        "title": get_title(column),
        "higher": is_higher_better(table, column),
        "digits": _count_decimals(column, values),
        "values": _to_plain(values),
        "low": None if ends is None else _to_plain(ends[:, 0]),
        "high": None if ends is None else _to_plain(ends[:, 1]),
    }


def _count_decimals(column: str, values: np.ndarray) -> int:
    """Return the number of decimals: three digits of the range along the front, at most one for percentages."""
    span = float(np.nanmax(values) - np.nanmin(values))
    finite = values[np.isfinite(values)]
    if (finite == np.rint(finite)).all():
        return 0
    if is_percent(column):
        return int(span < _ONE_DIGIT_BELOW)
    return int(np.clip(2 - np.floor(np.log10(span)), 0, 4)) if span > 0 else 3


def _describe_plane(table: pd.DataFrame, columns: list[str]) -> dict[str, Any]:
    x, y = choose_default_plane(table)
    if x not in columns or y not in columns:
        return {"x": None, "y": None, "kept": [False] * len(table)}
    is_non_dominated = find_non_dominated(table, (x, y), (is_higher_better(table, x), is_higher_better(table, y)))
    return {"x": columns.index(x), "y": columns.index(y), "kept": is_non_dominated.tolist()}


def _describe_preference(table: pd.DataFrame, row: int) -> str:
    objectives = [name for name in get_objectives(table)[1:] if f"preference_{name}" in table.columns]
    values = {name: float(table[f"preference_{name}"].iloc[row]) for name in objectives}
    return ", ".join(f"{get_title(f'preference_{k}')} {v:.3g}" for k, v in values.items() if np.isfinite(v))


def _to_plain(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
