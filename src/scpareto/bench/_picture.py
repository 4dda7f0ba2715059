"""Plot a benchmark: methods as points, sweeps and fronts as curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.bench._registry import method_title
from scpareto.pl import front as draw_front

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_FRONT = "front"


def draw_benchmark(table: pd.DataFrame, *, x: str, y: str, intervals: bool = True, ax: Axes | None = None) -> Axes:
    """Plot the table of a benchmark, see :meth:`Benchmark.plot`.

    Parameters
    ----------
    table
        Table of a benchmark.
    x, y
        Columns.
    intervals
        Whether to draw the intervals of single points.
    ax
        Axes to draw on.

    Returns
    -------
    The axes.
    """
    finished = table[table["status"] == "finished"]
    for column in (x, y):
        if column not in finished or not finished[column].notna().any():
            raise ValueError(f"{column!r} has no values to draw: no method has finished, or it was not measured.")
    means = average_over_seeds(finished)
    curves = {
        method_title(str(name)): rows.reset_index(drop=True)
        for name, rows in means[means["family"] == _FRONT].groupby("method", sort=False)
    }
    rest = means[means["family"] != _FRONT]
    swept = [name for name, rows in rest.groupby("method", sort=False) if len(rows) > 1]
    for name in swept:
        rows = rest[rest["method"] == name].sort_values("strength").reset_index(drop=True)
        curves[method_title(str(name))] = rows.assign(point=np.arange(len(rows)))
    others = rest[~rest["method"].isin(swept)]
    others = others.set_index(others["method"].map(method_title))
    if not curves:
        # The plot needs a curve; the first method becomes a curve of one point.
        first = others.iloc[:1]
        curves = {str(first.index[0]): first.reset_index(drop=True).assign(point=0)}
        others = others.iloc[1:]
    others = others.dropna(subset=[x, y])
    return draw_front(
        next(iter(curves.values())) if len(curves) == 1 and not swept else curves,
        x=x,
        y=y,
        others=others if len(others) else None,
        intervals=intervals,
        ax=ax,
    )


def average_over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Average every method, setting and point over seeds, in the order of the table."""
    keys = ["method", "family", "setting", "point"]
    numbers = [c for c in table.select_dtypes("number").columns if c not in (*keys, "seed")]
    return table.groupby(keys, sort=False, dropna=False)[numbers].mean().reset_index()
