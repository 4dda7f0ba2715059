"""Plot batch left and structure kept within each population, along the points of a front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from scpareto.pareto import Front
from scpareto.pl._alarm import find_alarmed, shade_alarm, shade_entry
from scpareto.pl._finish import Finish
from scpareto.pl._legend import draw_legend_below
from scpareto.pl._palette import HIGHLIGHT, PALETTE
from scpareto.pl._recommendation import get_recommendation
from scpareto.pl._sources import find_front
from scpareto.pl._style import COLUMN_WIDTH, MUTED, NOTE_SIZE, make_axes, tidy
from scpareto.pl._table import as_table

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from scpareto.pl._sources import FrontSource

_STYLES = {"batch_left": (PALETTE[0], "o", "batch left"), "structure_kept": (PALETTE[2], "s", "structure kept")}
_LEFT, _KEPT = "populations", "populations_structure"
_NO_POPULATION = -1
"""Number for cells in no shared population."""
_PANEL_HEIGHT = 1.3  # height, inches
_Y_MIN, _Y_MAX = -20.0, 120.0  # percent


def front_populations(
    front: FrontSource,
    *,
    key: str | None = None,
    selected: int | None = None,
    n_populations: int = 12,
    n_columns: int = 3,
    legend: bool = True,
    axes: Sequence[Axes] | np.ndarray | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw the batch left and the structure kept in each population, with one small panel for each.

    Populations are groups of cells that batches share, found by the judge without labels. The largest come first, and
    cells without a population last. If the judge used several resolutions, the middle one is drawn, in which structure
    was measured. Bands are 95 % intervals, drawn from -20 to 120 %. A vertical line marks the recommended point, a
    dashed one the selected point; ranges in which the alarm rings are hatched.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front` that was judged, a model with one, or an AnnData that stores one.
    key
        Key of the front in an AnnData that stores several, a name in ``adata.uns["scpareto"]``.
    selected
        Number of the point to mark; by default the selected point of the model, unless it is the recommended one.
    n_populations
        Largest number of panels; the largest populations are drawn.
    n_columns
        Number of panels in a row.
    legend
        Whether to draw a legend of the lines, below the panels of a new figure.
    axes
        Axes to draw on, one per population; by default of a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as ``"populations.pdf"``; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Axes of shape ``(n_panels,)``. Artists carry the ids ``"batch_left"``, ``"structure_kept"``, ``"interval"``,
    ``"recommended"``, ``"selected"`` and ``"alarm"``.

    Raises
    ------
    TypeError
        If ``front`` is not a front, or is a table.
    KeyError
        If an AnnData stores no front.
    ValueError
        If a model has no front yet, ``save`` cannot be written, no population was judged, ``selected`` is not a point,
        a number is less than 1, or ``axes`` are too few or too many.

    Examples
    --------
    >>> import pandas as pd
    >>> import scpareto.pl as pl
    >>> from scpareto.pareto import Front
    >>> names = ["point 0", "point 1", "point 0", "point 1"]
    >>> left = pd.DataFrame(
    ...     {
    ...         "resolution": 0,
    ...         "population": [0, 0, 1, 1],
    ...         "embedding": names,
    ...         "n_cells": [90, 90, 40, 40],
    ...         "batch_left": [30.0, 5.0, 60.0, 20.0],
    ...         "low": [25.0, 2.0, 50.0, 10.0],
    ...         "high": [35.0, 8.0, 70.0, 30.0],
    ...     }
    ... )
    >>> front = Front(objectives=["generative_loss", "classifier"], tables={"populations": left})
    >>> front.add({"point": 0})
    >>> front.add({"point": 1})
    >>> [ax.get_title(loc="left") for ax in pl.front_populations(front)]
    ['population 0, 90 cells', 'population 1, 40 cells']
    """
    finish = Finish(show, save, return_fig)
    front_object = find_front(front, key=key)
    if not isinstance(front_object, Front):
        raise TypeError(f"front must be a Front that was judged, got {type(front_object).__name__}.")
    for name, number in (("n_populations", n_populations), ("n_columns", n_columns)):
        if number < 1:
            raise ValueError(f"{name}={number} must be at least 1.")
    points, recommendation = as_table(front_object), get_recommendation(front_object)
    numbers = [int(number) for number in points["point"]]
    if selected is not None and selected not in numbers:
        raise ValueError(f"selected={selected!r} is not a point of this front; points: {numbers}.")
    selected = recommendation.selected if selected is None else selected
    tables = _read_tables(front_object, numbers)
    sizes = _count_cells(tables).iloc[:n_populations]
    panels = _make_panels(len(sizes), n_columns) if axes is None else np.asarray(axes, dtype=object).ravel()
    if len(panels) != len(sizes):
        raise ValueError(f"{len(sizes)} populations need as many axes, got {len(panels)}.")
    marked_points = {"recommended": recommendation.recommended, "selected": selected}
    rings = find_alarmed(points)
    for ax, (population, n_cells) in zip(panels, sizes.items(), strict=True):
        edges = shade_alarm(ax, np.array(numbers, dtype=float), rings)
        for column, table in tables.items():
            _draw_population(ax, table[table["population"] == population], column)
        for gid, place in marked_points.items():
            if place is not None and place in numbers:
                style = {"color": HIGHLIGHT, "ls": "-"} if gid == "recommended" else {"color": MUTED, "ls": "--"}
                ax.axvline(place, lw=0.9, zorder=1.2, **style).set_gid(gid)
        ax.axhline(0, lw=0.5, color=MUTED, zorder=0.8)
        ax.set_xlim(edges[0], edges[-1])
        ax.set_ylim(_Y_MIN, _Y_MAX)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        name = f"population {population}" if population != _NO_POPULATION else "no shared population"
        label = f"{name}, {n_cells:,} cells"
        ax.set_title(label + _describe_missing_effect(tables, population), fontsize=NOTE_SIZE, loc="left", pad=3)
    _label_axes(panels, n_columns)
    if legend and axes is None:
        _draw_legend(
            panels[0], list(tables), {gid for gid, n in marked_points.items() if n in numbers}, rings=bool(rings.any())
        )
    return finish(panels)


def _read_tables(front: Front, numbers: list[int]) -> dict[str, pd.DataFrame]:
    """Return the tables of batch left and structure kept, with a column `point`."""
    point_of = {f"point {number}": number for number in numbers}
    tables = {}
    for name, column in ((_LEFT, "batch_left"), (_KEPT, "structure_kept")):
        table = front.tables.get(name)
        if table is None or not len(table):
            continue
        if "resolution" in table:
            resolutions = sorted(table["resolution"].unique())
            table = table[table["resolution"] == resolutions[len(resolutions) // 2]]
        table = table.assign(point=table["embedding"].map(point_of))
        tables[column] = table[table["point"].notna()].sort_values("point", kind="stable")
    if not any(table[column].notna().any() for column, table in tables.items()):
        raise ValueError("The front holds no judged populations; audit() judges them.")
    return tables


def _count_cells(tables: dict[str, pd.DataFrame]) -> pd.Series:
    """Return the number of cells of each judged population, the largest first."""
    judged_rows = pd.concat([table[table[column].notna()] for column, table in tables.items()])
    sizes = judged_rows.groupby("population")["n_cells"].max().sort_values(ascending=False, kind="stable")
    return pd.concat([sizes[sizes.index != _NO_POPULATION], sizes[sizes.index == _NO_POPULATION]])


def _describe_missing_effect(tables: dict[str, pd.DataFrame], population: object) -> str:
    """Return a note if a population has no batch effect; otherwise an empty string."""
    table = tables.get("batch_left")
    if table is None or "no_batch_effect" not in table:
        return ""
    no_effect = table["no_batch_effect"][table["population"] == population].astype(bool)
    return "\nno batch effect" if len(no_effect) and no_effect.all() else ""


def _make_panels(n_panels: int, n_columns: int) -> np.ndarray:
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    width = {1: COLUMN_WIDTH, 2: 2 * COLUMN_WIDTH / 3}.get(n_columns, COLUMN_WIDTH / 2)
    figure, grid = make_axes(n_rows, n_columns, figsize=(width * n_columns, _PANEL_HEIGHT * n_rows + 0.15), share=True)
    for ax in grid.flat[n_panels:]:
        figure.delaxes(ax)
    panels = np.asarray(grid.flat[:n_panels], dtype=object)
    for ax in panels:
        tidy(ax)
    return panels


def _draw_population(ax: Axes, table: pd.DataFrame, column: str) -> None:
    color, marker, _ = _STYLES[column]
    x = table["point"].to_numpy(dtype=float)
    ends = table[["low", "high"]].to_numpy(dtype=float)
    ax.fill_between(x, *ends.T, color=color, alpha=0.2, lw=0, zorder=1).set_gid("interval")
    values = table[column].to_numpy(dtype=float)
    line = ax.plot(x, values, color=color, lw=0.9, marker=marker, ms=2.6, mew=0, zorder=2)[0]
    line.set_gid(column)


def _label_axes(panels: np.ndarray, n_columns: int) -> None:
    n_columns = min(n_columns, len(panels))
    for i, ax in enumerate(panels):
        ax.tick_params(labelbottom=i + n_columns >= len(panels))
        if i // n_columns == (len(panels) - 1) // n_columns:
            ax.set_xlabel("point", fontsize=NOTE_SIZE)
        if i % n_columns == 0:
            ax.set_ylabel("%", fontsize=NOTE_SIZE)


def _draw_legend(ax: Axes, columns: list[str], marked_points: set[str], *, rings: bool) -> None:
    entries: list[Artist] = []
    for column in columns:
        color, marker, label = _STYLES[column]
        entries.append(Line2D([], [], color=color, lw=0.9, marker=marker, ms=3.0, label=f"{label} (%)"))
    if "recommended" in marked_points:
        entries.append(Line2D([], [], color=HIGHLIGHT, lw=0.9, label="recommended"))
    if "selected" in marked_points:
        entries.append(Line2D([], [], color=MUTED, lw=0.9, ls="--", label="selected"))
    if rings:
        entries.append(shade_entry())
    draw_legend_below(ax, entries)
