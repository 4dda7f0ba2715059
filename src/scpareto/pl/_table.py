"""Take a front, a model, a table or noted cells as one table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto import pareto
from scpareto._constants import BATCH_LEFT, GENERATIVE_LOSS, STRUCTURE_KEPT
from scpareto.pl._sources import front_in
from scpareto.pl._titles import LEFT, name_of_objective

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from scpareto.pl._sources import FrontSource


_IDENTITY = re.compile(r"point|seed|preference_.*|.*_(low|high)|n_cells|epochs?")


def as_table(front: FrontSource, *, name: str = "front") -> pd.DataFrame:
    """Read a front as a table with one row per point.

    Parameters
    ----------
    front
        What :func:`front_in` takes.
    name
        What to call it in messages.

    Returns
    -------
    A copy, ordered by point number, with a fresh index.

    Raises
    ------
    TypeError
        If `front` is none of these.
    ValueError
        If there are no rows or no column `point`.
    """
    found = front_in(front, name=name)
    table = found if isinstance(found, pd.DataFrame) else found.to_dataframe()
    if "point" not in table.columns:
        if table.index.name != "point":
            raise ValueError(f"The table of {name} needs a column 'point'; it has {list(table.columns)}.")
        table = table.reset_index()
    if table.empty:
        raise ValueError(f"{name} has no points.")
    return table.sort_values("point", kind="stable").reset_index(drop=True)


def objectives_of(table: pd.DataFrame) -> list[str]:
    """Name the objectives of a table, the generative loss first.

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


def measures(table: pd.DataFrame) -> list[str]:
    """List the columns that can be an axis: numbers that measure a point.

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
    """Say whether a column holds numbers, which truth values are not.

    Parameters
    ----------
    values
        A column.

    Returns
    -------
    Whether it can be an axis.
    """
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def require(table: pd.DataFrame, columns: Iterable[str], *, valid: list[str] | None = None) -> None:
    """Refuse columns that cannot be drawn.

    Parameters
    ----------
    table
        Table of a front.
    columns
        Names asked for.
    valid
        Names allowed; by default :func:`measures`.

    Raises
    ------
    ValueError
        Naming the bad columns and listing the valid ones.
    """
    allowed = measures(table) if valid is None else valid
    bad = [column for column in columns if column not in allowed]
    if bad:
        raise ValueError(f"{', '.join(map(repr, bad))} cannot be drawn; valid columns: {', '.join(allowed)}.")


def judged_plane(*tables: pd.DataFrame) -> tuple[str, str] | None:
    """Find the plane in which fronts were judged.

    Parameters
    ----------
    *tables
        Tables of fronts.

    Returns
    -------
    What is left of the batch, or of another nuisance (`<nuisance>_left`), and `structure_kept`; None unless every table
    has a point with both.
    """

    def is_in_all(columns: list[str]) -> bool:
        return all(set(columns) <= set(measures(t)) and t[columns].notna().all(axis=1).any() for t in tables)

    left = [name for name in measures(tables[0]) if name.endswith(LEFT) and is_in_all([name, STRUCTURE_KEPT])]
    return (BATCH_LEFT if BATCH_LEFT in left else left[0], STRUCTURE_KEPT) if left else None


def default_plane(*tables: pd.DataFrame) -> tuple[str, str]:
    """Choose the plane of fronts: what is left against what is kept or, unless judged, what leaks against its cost.

    Parameters
    ----------
    *tables
        Tables of fronts.

    Returns
    -------
    The columns of :func:`judged_plane`; else `leakage_mean`, or the first nuisance objective on test cells, and the
    generative loss.
    """
    judged = judged_plane(*tables)
    if judged is not None:
        return judged
    names = measures(tables[0])
    nuisance = ["leakage_mean", *(f"{name}_test" for name in objectives_of(tables[0])[1:])]
    x = next((name for name in nuisance if name in names), nuisance[0])
    return x, f"{GENERATIVE_LOSS}_test"


def is_percent(column: str) -> bool:
    """Say whether a column is in percent of what there is to remove or to keep."""
    return column == STRUCTURE_KEPT or column.endswith(LEFT)


def is_higher_better(table: pd.DataFrame, column: str, *, higher_is_better: Collection[str] = ()) -> bool:
    """Say whether larger values of a column are better.

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
    True for retention, for what is kept of the structure, for scores of scib-metrics and for declared columns.
    """
    return column in higher_is_better or pareto.is_higher_better(column, objectives_of(table))


def interval(table: pd.DataFrame, column: str) -> np.ndarray | None:
    """Read the interval of a column.

    Parameters
    ----------
    table
        Table of a front with `n` rows.
    column
        Name of a column.

    Returns
    -------
    Lower and upper ends, shape `(n, 2)`, or None when they were not measured.
    """
    ends = [f"{column}_low", f"{column}_high"]
    if not set(ends) <= set(table.columns):
        return None
    values = table[ends].to_numpy(dtype=float)
    return values if np.isfinite(values).any() else None


def names_of_extremes(table: pd.DataFrame) -> dict[int, str]:
    """Name the extreme points.

    Parameters
    ----------
    table
        Table of a front.

    Returns
    -------
    Name by point number: the first is "uncorrected"; the other is "strongest", or, with several objectives, each is
    the strongest in the objective that it prefers.
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
            favourite = max(preferences, key=lambda c: float(row[c]))
            name = f"strongest {name_of_objective(str(favourite).removeprefix('preference_'))}"
        else:
            name = "extreme"
        names[int(row["point"])] = name
    return names


def markers_of(table: pd.DataFrame) -> np.ndarray:
    """Choose the marker of each point, the same in every plot.

    Parameters
    ----------
    table
        Table of a front with `n` rows.

    Returns
    -------
    Matplotlib markers, shape `(n,)`: a square for the uncorrected extreme, a diamond for the others, else a circle.
    """
    names = names_of_extremes(table)
    shapes = {None: "o", "uncorrected": "s"}
    return np.array([shapes.get(names.get(int(point)), "D") for point in table["point"]])
