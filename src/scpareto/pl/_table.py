"""Read the table of a front, and choose its columns, names and markers for a plot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto import pareto
from scpareto._constants import BATCH_LEFT, GENERATIVE_LOSS, STRUCTURE_KEPT
from scpareto.pl._sources import find_front
from scpareto.pl._titles import LEFT_SUFFIX, get_objective_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from scpareto.pl._sources import FrontSource


_IDENTITY = re.compile(r"point|seed|preference_.*|.*_(low|high)|n_cells|epochs?")


def as_table(front: FrontSource, *, name: str = "front") -> pd.DataFrame:
    """Read a front as a table with one row per point.

    Parameters
    ----------
    front
        A front, its table, a model or an AnnData, see :func:`find_front`.
    name
        Name of the source in messages.

    Returns
    -------
    A copy, ordered by point number, with a new index.

    Raises
    ------
    TypeError
        If `front` has another type.
    ValueError
        If there are no rows or no column `point`.
    """
    found_front = find_front(front, name=name)
    table = found_front if isinstance(found_front, pd.DataFrame) else found_front.to_dataframe()
    if "point" not in table.columns:
        if table.index.name != "point":
            raise ValueError(f"The table of {name} needs a column 'point'; it has {list(table.columns)}.")
        table = table.reset_index()
    if table.empty:
        raise ValueError(f"{name} has no points.")
    return table.sort_values("point", kind="stable").reset_index(drop=True)


def get_objectives(table: pd.DataFrame) -> list[str]:
    """Return the objectives of a table, the generative loss first.

    Parameters
    ----------
    table
        Table of a front.

    Returns
    -------
    Names, read off the columns `preference_<objective>`.
    """
    names = [str(c).removeprefix("preference_") for c in table.columns if str(c).startswith("preference_")]
    return [GENERATIVE_LOSS, *(name for name in names if name != GENERATIVE_LOSS)]


def list_measures(table: pd.DataFrame) -> list[str]:
    """List the columns that can be drawn: numbers that measure a point.

    Parameters
    ----------
    table
        Table of a front.

    Returns
    -------
    Names of numeric columns with at least one value, without numbering, preferences, seeds and interval ends.
    """
    return [
        str(c)
        for c in table.columns
        if is_number(table[c]) and table[c].notna().any() and not _IDENTITY.fullmatch(str(c))
    ]


def is_number(values: pd.Series) -> bool:
    """Return whether a column holds numbers other than True and False.

    Parameters
    ----------
    values
        A column.

    Returns
    -------
    Whether it can be an axis.
    """
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def check_columns(table: pd.DataFrame, columns: Iterable[str], *, valid: list[str] | None = None) -> None:
    """Raise an error if columns cannot be drawn.

    Parameters
    ----------
    table
        Table of a front.
    columns
        Names of columns.
    valid
        Valid names; by default :func:`list_measures`.

    Raises
    ------
    ValueError
        If a column is not valid; the message lists the valid ones.
    """
    allowed = list_measures(table) if valid is None else valid
    bad = [column for column in columns if column not in allowed]
    if bad:
        raise ValueError(f"{', '.join(map(repr, bad))} cannot be drawn; valid columns: {', '.join(allowed)}.")


def find_judged_plane(*tables: pd.DataFrame) -> tuple[str, str] | None:
    """Find the plane in which fronts were judged.

    Parameters
    ----------
    *tables
        Tables of fronts.

    Returns
    -------
    `batch_left`, or `<nuisance>_left` of another nuisance, and `structure_kept`; None unless every table has a point
    with both.
    """

    def is_in_all(columns: list[str]) -> bool:
        return all(set(columns) <= set(list_measures(t)) and t[columns].notna().all(axis=1).any() for t in tables)

    nuisance_columns = [
        name for name in list_measures(tables[0]) if name.endswith(LEFT_SUFFIX) and is_in_all([name, STRUCTURE_KEPT])
    ]
    return (
        (BATCH_LEFT if BATCH_LEFT in nuisance_columns else nuisance_columns[0], STRUCTURE_KEPT)
        if nuisance_columns
        else None
    )


def choose_default_plane(*tables: pd.DataFrame) -> tuple[str, str]:
    """Choose the plane of fronts: batch left and structure kept or, unless judged, leakage and generative loss.

    Parameters
    ----------
    *tables
        Tables of fronts.

    Returns
    -------
    The columns of :func:`find_judged_plane`; otherwise `leakage_mean`, or the first nuisance objective on test cells,
    and the generative loss.
    """
    judged = find_judged_plane(*tables)
    if judged is not None:
        return judged
    names = list_measures(tables[0])
    nuisance = ["leakage_mean", *(f"{name}_test" for name in get_objectives(tables[0])[1:])]
    x = next((name for name in nuisance if name in names), nuisance[0])
    return x, f"{GENERATIVE_LOSS}_test"


def is_percent(column: str) -> bool:
    """Return whether a column is in percent of the nuisance left or the structure kept."""
    return column == STRUCTURE_KEPT or column.endswith(LEFT_SUFFIX)


def is_higher_better(table: pd.DataFrame, column: str, *, higher_is_better: Collection[str] = ()) -> bool:
    """Return whether larger values of a column are better.

    Parameters
    ----------
    table
        Table of a front; its objectives are always minimised.
    column
        Name of a column.
    higher_is_better
        Columns declared by the user.

    Returns
    -------
    True for retention, structure kept, scores of scib-metrics and declared columns.
    """
    return column in higher_is_better or pareto.is_higher_better(column, get_objectives(table))


def get_interval(table: pd.DataFrame, column: str) -> np.ndarray | None:
    """Read the interval of a column.

    Parameters
    ----------
    table
        Table of a front with `n` rows.
    column
        Name of a column.

    Returns
    -------
    Lower and upper ends, shape `(n, 2)`; None if they were not measured.
    """
    ends = [f"{column}_low", f"{column}_high"]
    if not set(ends) <= set(table.columns):
        return None
    values = table[ends].to_numpy(dtype=float)
    return values if np.isfinite(values).any() else None


def name_extremes(table: pd.DataFrame) -> dict[int, str]:
    """Name the extreme points.

    Parameters
    ----------
    table
        Table of a front.

    Returns
    -------
    Name by point number. The first point is "uncorrected"; the other extreme is "strongest", or, with several
    objectives, "strongest <objective>" for the objective with the largest preference.
    """
    if "kind" not in table.columns:
        return {}
    extremes = table[table["kind"] == "extreme"].drop_duplicates("point")
    first, last = table["point"].min(), table["point"].max()
    preferences = [c for c in table.columns if str(c).startswith("preference_")]
    names: dict[int, str] = {}
    for _, row in extremes.iterrows():
        if row["point"] == first:
            name = "uncorrected"
        elif len(extremes) <= 2 and row["point"] == last:
            name = "strongest"
        elif preferences:
            strongest = max(preferences, key=lambda c: float(row[c]))
            name = f"strongest {get_objective_name(str(strongest).removeprefix('preference_'))}"
        else:
            name = "extreme"
        names[int(row["point"])] = name
    return names


def choose_markers(table: pd.DataFrame) -> np.ndarray:
    """Choose the marker of each point, the same in every plot.

    Parameters
    ----------
    table
        Table of a front with `n` rows.

    Returns
    -------
    Matplotlib markers, shape `(n,)`: a square for the uncorrected extreme, a diamond for the others, else a circle.
    """
    names = name_extremes(table)
    shapes = {None: "o", "uncorrected": "s"}
    return np.array([shapes.get(names.get(int(point)), "D") for point in table["point"]])
