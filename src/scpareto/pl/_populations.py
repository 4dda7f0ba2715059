"""What is left of the batch and kept of the structure within each population, along the points of a front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from scpareto.pareto import Front
from scpareto.pl._alarm import alarmed, shade_alarm, shade_entry
from scpareto.pl._finish import Finish
from scpareto.pl._legend import draw_legend_below
from scpareto.pl._palette import CHOSEN, PALETTE
from scpareto.pl._sources import front_in
from scpareto.pl._style import COLUMN_WIDTH, MUTED, NOTE_SIZE, new_axes, tidy
from scpareto.pl._table import as_table
from scpareto.pl._told import told_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from scpareto.pl._sources import FrontSource

_LOOKS = {"batch_left": (PALETTE[0], "o", "batch left"), "structure_kept": (PALETTE[2], "s", "structure kept")}
_LEFT, _KEPT = "populations", "populations_structure"
_NONE = -1
"""Number of the cells that belong to no population that batches share."""
_PANEL = 1.3  # height, inches
_LOWEST, _HIGHEST = -20.0, 120.0  # percent


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
    """Draw what is left of the batch and what is kept of the structure in each population, one small panel each.

    Populations are groups of cells that batches share, as the judge found them without labels; the largest come first,
    and last the cells that belong to none. Where the judge used several resolutions, it is the middle one, in which
    structure was measured. Bands are 95 % intervals, drawn from -20 to 120 %. A vertical line marks the recommended
    point, a dashed one the selected; stretches of points whose alarm rings are hatched.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front` that was judged, a model with one, or an AnnData that notes one.
    key
        Of an AnnData that notes several fronts, which one: a name in ``adata.uns["scpareto"]``.
    selected
        Number of the point to mark; by default the one that the model is in, unless it is the recommended one.
    n_populations
        Panels at most; the largest populations are drawn.
    n_columns
        Panels beside each other.
    legend
        Whether to explain the lines, below the panels of a new figure.
    axes
        Axes to draw in, one per population; by default a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as ``"populations.pdf"``; its folder is made.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Axes of shape ``(n_panels,)``. Artists carry the ids ``"batch_left"``, ``"structure_kept"``, ``"interval"``,
    ``"recommended"``, ``"selected"`` and ``"alarm"``.

    Raises
    ------
    TypeError
        If ``front`` is no front, or a table.
    KeyError
        If an AnnData notes no front.
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
    found = front_in(front, key=key)
    if not isinstance(found, Front):
        raise TypeError(f"front must be a Front that was judged, got {type(found).__name__}.")
    for name, number in (("n_populations", n_populations), ("n_columns", n_columns)):
        if number < 1:
            raise ValueError(f"{name}={number} must be at least 1.")
    points, told = as_table(found), told_of(found)
    numbers = [int(number) for number in points["point"]]
    if selected is not None and selected not in numbers:
        raise ValueError(f"selected={selected!r} is not a point of this front; points: {numbers}.")
    selected = told.selected if selected is None else selected
    judged = _found(found, numbers)
    sizes = _sizes(judged).iloc[:n_populations]
    panels = _new_panels(len(sizes), n_columns) if axes is None else np.asarray(axes, dtype=object).ravel()
    if len(panels) != len(sizes):
        raise ValueError(f"{len(sizes)} populations need as many axes, got {len(panels)}.")
    marked = {"recommended": told.recommended, "selected": selected}
    over = alarmed(points)
    for ax, (population, n_cells) in zip(panels, sizes.items(), strict=True):
        edges = shade_alarm(ax, np.array(numbers, dtype=float), over)
        for column, table in judged.items():
            _draw(ax, table[table["population"] == population], column)
        for gid, place in marked.items():
            if place is not None and place in numbers:
                style = {"color": CHOSEN, "ls": "-"} if gid == "recommended" else {"color": MUTED, "ls": "--"}
                ax.axvline(place, lw=0.9, zorder=1.2, **style).set_gid(gid)
        ax.axhline(0, lw=0.5, color=MUTED, zorder=0.8)
        ax.set_xlim(edges[0], edges[-1])
        ax.set_ylim(_LOWEST, _HIGHEST)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        name = f"population {population}" if population != _NONE else "no shared population"
        words = f"{name}, {n_cells:,} cells"
        ax.set_title(words + _without_effect(judged, population), fontsize=NOTE_SIZE, loc="left", pad=3)
    _name_axes(panels, n_columns)
    if legend and axes is None:
        _draw_legend(
            panels[0], list(judged), {gid for gid, n in marked.items() if n in numbers}, rings=bool(over.any())
        )
    return finish(panels)


def _found(front: Front, numbers: list[int]) -> dict[str, pd.DataFrame]:
    """Tables by what they measure, with a column `point`."""
    point_of = {f"point {number}": number for number in numbers}
    found = {}
    for name, column in ((_LEFT, "batch_left"), (_KEPT, "structure_kept")):
        table = front.tables.get(name)
        if table is None or not len(table):
            continue
        if "resolution" in table:
            resolutions = sorted(table["resolution"].unique())
            table = table[table["resolution"] == resolutions[len(resolutions) // 2]]
        table = table.assign(point=table["embedding"].map(point_of))
        found[column] = table[table["point"].notna()].sort_values("point", kind="stable")
    if not any(table[column].notna().any() for column, table in found.items()):
        raise ValueError("The front holds no judged populations; audit() judges them.")
    return found


def _sizes(found: dict[str, pd.DataFrame]) -> pd.Series:
    """Cells of each population that was judged, the largest first."""
    known = pd.concat([table[table[column].notna()] for column, table in found.items()])
    sizes = known.groupby("population")["n_cells"].max().sort_values(ascending=False, kind="stable")
    return pd.concat([sizes[sizes.index != _NONE], sizes[sizes.index == _NONE]])


def _without_effect(found: dict[str, pd.DataFrame], population: object) -> str:
    """Say that there is nothing to remove in a population; empty if there is."""
    table = found.get("batch_left")
    if table is None or "no_batch_effect" not in table:
        return ""
    nothing = table["no_batch_effect"][table["population"] == population].astype(bool)
    return "\nno batch effect" if len(nothing) and nothing.all() else ""


def _new_panels(n_panels: int, n_columns: int) -> np.ndarray:
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    width = {1: COLUMN_WIDTH, 2: 2 * COLUMN_WIDTH / 3}.get(n_columns, COLUMN_WIDTH / 2)
    figure, grid = new_axes(n_rows, n_columns, figsize=(width * n_columns, _PANEL * n_rows + 0.15), share=True)
    for ax in grid.flat[n_panels:]:
        figure.delaxes(ax)
    panels = np.asarray(grid.flat[:n_panels], dtype=object)
    for ax in panels:
        tidy(ax)
    return panels


def _draw(ax: Axes, table: pd.DataFrame, column: str) -> None:
    color, marker, _ = _LOOKS[column]
    x = table["point"].to_numpy(dtype=float)
    ends = table[["low", "high"]].to_numpy(dtype=float)
    ax.fill_between(x, *ends.T, color=color, alpha=0.2, lw=0, zorder=1).set_gid("interval")
    values = table[column].to_numpy(dtype=float)
    line = ax.plot(x, values, color=color, lw=0.9, marker=marker, ms=2.6, mew=0, zorder=2)[0]
    line.set_gid(column)


def _name_axes(panels: np.ndarray, n_columns: int) -> None:
    n_columns = min(n_columns, len(panels))
    for i, ax in enumerate(panels):
        ax.tick_params(labelbottom=i + n_columns >= len(panels))
        if i // n_columns == (len(panels) - 1) // n_columns:
            ax.set_xlabel("point", fontsize=NOTE_SIZE)
        if i % n_columns == 0:
            ax.set_ylabel("%", fontsize=NOTE_SIZE)


def _draw_legend(ax: Axes, columns: list[str], marked: set[str], *, rings: bool) -> None:
    entries: list[Artist] = []
    for column in columns:
        color, marker, words = _LOOKS[column]
        entries.append(Line2D([], [], color=color, lw=0.9, marker=marker, ms=3.0, label=f"{words} (%)"))
    if "recommended" in marked:
        entries.append(Line2D([], [], color=CHOSEN, lw=0.9, label="recommended"))
    if "selected" in marked:
        entries.append(Line2D([], [], color=MUTED, lw=0.9, ls="--", label="selected"))
    if rings:
        entries.append(shade_entry())
    draw_legend_below(ax, entries)
