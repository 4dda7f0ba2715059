from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import sweep_record, value_in_words
from scpareto.pl._plane import non_dominated_in
from scpareto.pl._table import (
    as_table,
    default_plane,
    interval,
    is_higher_better,
    is_percent,
    judged_plane,
    measures,
    names_of_extremes,
    objectives_of,
)
from scpareto.pl._titles import title_of

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.pareto import Front

_NOT_SHOWN = re.compile(
    r".*_(train|validation|in_sample)|n_(epochs|cells)|information|composition_erased|structure_lost|value|seconds"
)

_ONE_DIGIT_BELOW = 20.0
"""Range of percent along a front that needs a decimal."""


def describe_front(front: Front, selected: int | None, recommended: int | None) -> dict[str, Any]:
    """Describe every point of a front in plain values.

    Parameters
    ----------
    front
        The front.
    selected
        Number of the point that the model is in.
    recommended
        Number of the point that the whole front recommends.

    Returns
    -------
    Plain values, None where unknown: `points` (number, name, preference), `selected` and `recommended` (places of these
    points), `metrics` (title, values, interval ends along the front, decimals worth writing; what is left and kept
    first, the alarm last), `plane` (the metrics on the axes, and which points no other dominates, as
    :func:`scpareto.pl.front` draws them) and `alarm` (one number in [0, 1] for each point; empty if not measured).
    """
    table = as_table(front)
    names = names_of_extremes(table)
    numbers = [int(point) for point in table["point"]]
    first = judged_plane(table) or ()
    columns = [column for column in measures(table) if not _NOT_SHOWN.fullmatch(column) and column not in first]
    columns = [*first, *sorted(columns, key=lambda column: column == "alarm")]
    return {
        "points": [
            {
                "number": number,
                "name": names.get(number, ""),
                "preference": value_in_words(front, number) or _preference(table, row),
            }
            | _line(front, number)
            for row, number in enumerate(numbers)
        ],
        "selected": numbers.index(selected) if selected in numbers else 0,
        "recommended": numbers.index(recommended) if recommended in numbers else None,
        "metrics": [_metric(table, column) for column in columns],
        "plane": _plane(table, columns),
        "alarm": _plain(table["alarm"].to_numpy(dtype=float)) if "alarm" in columns else [],
    }


def _line(front: Front, number: int) -> dict[str, str]:
    """Line of Python that takes a point, where no model is asked for it."""
    record = sweep_record(front)
    if record is None:
        return {}
    key = record["key"] or front.table["use_rep"].iloc[front.numbers.index(number)]
    return {"line": f'adata.obsm["{key}"] = front.codes[{number}]' if record["key"] else f'adata.obsm["{key}"]'}


def _metric(table: pd.DataFrame, column: str) -> dict[str, Any]:
    values, ends = table[column].to_numpy(dtype=float), interval(table, column)
    return {
        "key": column,
        "title": title_of(column),
        "higher": is_higher_better(table, column),
        "digits": _digits(column, values),
        "values": _plain(values),
        "low": None if ends is None else _plain(ends[:, 0]),
        "high": None if ends is None else _plain(ends[:, 1]),
    }


def _digits(column: str, values: np.ndarray) -> int:
    """Decimals that tell the points apart: three digits of the range along the front; of percent no more than one."""
    span = float(np.nanmax(values) - np.nanmin(values))
    known = values[np.isfinite(values)]
    if (known == np.rint(known)).all():
        return 0
    if is_percent(column):
        return int(span < _ONE_DIGIT_BELOW)
    return int(np.clip(2 - np.floor(np.log10(span)), 0, 4)) if span > 0 else 3


def _plane(table: pd.DataFrame, columns: list[str]) -> dict[str, Any]:
    x, y = default_plane(table)
    if x not in columns or y not in columns:
        return {"x": None, "y": None, "kept": [False] * len(table)}
    kept = non_dominated_in(table, (x, y), (is_higher_better(table, x), is_higher_better(table, y)))
    return {"x": columns.index(x), "y": columns.index(y), "kept": kept.tolist()}


def _preference(table: pd.DataFrame, row: int) -> str:
    objectives = [name for name in objectives_of(table)[1:] if f"preference_{name}" in table.columns]
    values = {name: float(table[f"preference_{name}"].iloc[row]) for name in objectives}
    return ", ".join(f"{title_of(f'preference_{k}')} {v:.3g}" for k, v in values.items() if np.isfinite(v))


def _plain(values: np.ndarray) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
