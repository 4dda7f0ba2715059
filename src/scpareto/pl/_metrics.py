"""Draw measures of the points along a front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from scpareto._constants import ALARM_FROM, GENERATIVE_LOSS
from scpareto.pl._alarm import alarmed, shade_alarm, shade_entry
from scpareto.pl._finish import Finish
from scpareto.pl._front_axes import widen
from scpareto.pl._legend import draw_legend_below, marker_entry, recommended_entry, selected_entry
from scpareto.pl._marks import FRAME, RING
from scpareto.pl._palette import CHOSEN
from scpareto.pl._sources import front_in
from scpareto.pl._style import COLUMN_WIDTH, INK, MUTED, NOTE_SIZE, new_axes, point_colors, tidy
from scpareto.pl._table import (
    as_table,
    interval,
    is_higher_better,
    is_percent,
    judged_plane,
    markers_of,
    measures,
    names_of_extremes,
    objectives_of,
    require,
)
from scpareto.pl._titles import broken_title, title_of
from scpareto.pl._told import Told, told_of

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Sequence

    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from scpareto.pl._sources import FrontSource

_LONGEST = 27  # characters below a panel of half a column
_SHORT = 20  # characters of a name that leave room for the better direction in its line
_UP, _DOWN = "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}"
_AUDITED = (
    *("leakage_mean", "leakage_sample", "retention"),
    *("scib_bio", "scib_batch", "scib_total", "alarm"),
)
_JUDGED = (f"{GENERATIVE_LOSS}_test", "retention", "scib_bio", "scib_batch", "scib_total", "alarm")
_LETTERS = 22
"""Letters of the values of a sweep, with a gap after each, that fit below a panel of half a column."""
_QUIET, _RINGS = 0.0, 1.0


def metrics_along_front(
    front: FrontSource,
    columns: Sequence[str] | None = None,
    *,
    key: str | None = None,
    x: str = "point",
    selected: int | None = None,
    higher_is_better: Collection[str] = (),
    n_columns: int = 2,
    legend: bool = True,
    axes: Sequence[Axes] | np.ndarray | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw columns of a front against its points, one small panel each.

    Points have the colours and markers of :func:`front`: a square is the uncorrected extreme, diamonds are the others,
    the recommended point is ringed and the selected one framed. Intervals are shaded where `<column>_low` and
    `<column>_high` exist. Stretches of points whose `alarm` rings are hatched; they end half-way to the neighbours.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front` or its table with one row for each of `n` points, a model with a front, or an
        AnnData that notes one.
    columns
        Any columns that measure a point. By default what is left of the batch, what is kept of the structure, the
        generative loss on test cells, retention, the aggregates of scib-metrics and the alarm, as far as they were
        measured. Where nothing was judged, the nuisances on test cells and leakage instead of the first two.
    key
        Of an AnnData that notes several fronts, which one: a name in `adata.uns["scpareto"]`.
    x
        `"point"` (those of a sweep are named by the values of its option), `"preference"` (of the only nuisance), a
        column `preference_<objective>`, or any column that measures a point, such as `leakage_mean`; points without a
        value are left out.
    selected
        Number of the point to mark; by default the one that the model is in, unless it is the recommended one.
    higher_is_better
        Columns of which larger values are better, beside those known.
    n_columns
        Panels beside each other in a new figure.
    legend
        Whether to explain extremes, intervals, marked points and the alarm, below the panels of a new figure.
    axes
        Axes to draw in, one for each column; by default a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"metrics.pdf"`; its folder is made.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Axes of shape `(n_panels,)`. Artists carry the ids `"points"`, `"interval"`, `"recommended"`, `"selected"` and
    `"alarm"`.

    Raises
    ------
    TypeError
        If `front` is no front.
    KeyError
        If an AnnData notes no front.
    ValueError
        If a model has no front yet, `save` cannot be written, a column or `x` cannot be drawn, `selected` is not a
        point, an alarm lies outside [0, 1], `n_columns` is less than 1, or `axes` are too few or too many.

    Examples
    --------
    >>> import pandas as pd
    >>> import scpareto.pl as pl
    >>> table = pd.DataFrame({"point": [0, 1, 2], "retention": [0.40, 0.39, 0.31]})
    >>> axes = pl.metrics_along_front(table, ["retention"])
    >>> axes.shape
    (1,)
    """
    finish = Finish(show, save, return_fig)
    front = front_in(front, key=key)
    table, told = as_table(front), told_of(front)
    names = _default_columns(table) if columns is None else list(columns)
    if not names:
        raise ValueError(f"There are no columns to draw; valid columns: {', '.join(measures(table))}.")
    require(table, [*names, *higher_is_better])
    if n_columns < 1:
        raise ValueError(f"n_columns={n_columns} must be at least 1.")
    horizontal = _horizontal(table, x)
    table = table[table[horizontal].notna()].sort_values(horizontal, kind="stable").reset_index(drop=True)
    if selected is not None and selected not in table["point"].tolist():
        valid = sorted(table["point"].tolist())
        raise ValueError(f"selected={selected!r} is not a point of this front; points: {valid}.")
    if selected is None and told.selected in table["point"].tolist():
        selected = told.selected
    over = alarmed(table)
    panels = _new_panels(len(names), n_columns) if axes is None else np.asarray(axes, dtype=object).ravel()
    if len(panels) != len(names):
        raise ValueError(f"{len(names)} columns need as many axes, got {len(panels)}.")
    places = table[horizontal].to_numpy(dtype=float)
    special = {"recommended": told.recommended, "selected": selected}
    for ax, name in zip(panels, names, strict=True):
        edges = shade_alarm(ax, places, over)
        ax.margins(y=0.14)
        ax.set_xlim(edges[0], edges[-1])
        _draw(ax, table, horizontal, name, special)
        higher = is_higher_better(table, name, higher_is_better=higher_is_better)
        words = title_of(name) if name == "alarm" else _words(name, higher)
        ax.set_title(words, fontsize=NOTE_SIZE, loc="left", pad=3)
        if told.values and horizontal == "point":
            _name_values(ax, table["point"].tolist(), told)
    for ax in panels if axes is not None else panels[-n_columns:]:
        words = told.knob if told.values and horizontal == "point" else broken_title(horizontal, _LONGEST)
        ax.set_xlabel(words, fontsize=NOTE_SIZE + 0.5)
    if legend and axes is None:
        draw_legend_below(panels[0], _entries(table, names, special, over))
    return finish(panels)


def _default_columns(table: pd.DataFrame) -> list[str]:
    losses = [f"{GENERATIVE_LOSS}_test", *(f"{name}_test" for name in objectives_of(table)[1:])]
    known, judged = measures(table), judged_plane(table)
    wanted = [*losses, *_AUDITED] if judged is None else [*judged, *_JUDGED]
    return [c for c in wanted if c in known]


def _horizontal(table: pd.DataFrame, x: str) -> str:
    preferences = [str(c) for c in table.columns if str(c).startswith("preference_")]
    nuisances = [c for c in preferences if c != f"preference_{GENERATIVE_LOSS}"]
    if x == "preference" and len(nuisances) == 1:
        return nuisances[0]
    valid = ["point", *preferences, *measures(table)]
    require(table, [x], valid=valid if len(nuisances) != 1 else ["preference", *valid])
    return x


def _new_panels(n_panels: int, n_columns: int) -> np.ndarray:
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    width = COLUMN_WIDTH / 2 if n_columns > 1 else 0.7 * COLUMN_WIDTH
    figure, grid = new_axes(n_rows, n_columns, figsize=(width * n_columns, 1.35 * n_rows + 0.15))
    for ax in grid.flat[n_panels:]:
        figure.delaxes(ax)
    panels = np.asarray(grid.flat[:n_panels], dtype=object)
    for ax in panels:
        tidy(ax)
    return panels


def _draw(ax: Axes, table: pd.DataFrame, horizontal: str, column: str, special: dict[str, int | None]) -> None:
    x, y = table[horizontal].to_numpy(dtype=float), table[column].to_numpy(dtype=float)
    ends = interval(table, column)
    if ends is not None:
        ax.fill_between(x, *ends.T, color=MUTED, alpha=0.35, lw=0, zorder=1).set_gid("interval")
    looks: dict[str, tuple[str, int, dict[str, Any]]] = {
        "recommended": (CHOSEN, 60, RING),
        "selected": (INK, 90, FRAME),
    }
    for gid, point in special.items():
        color, size, look = looks[gid]
        row = (table["point"] == point).to_numpy()
        if row.any():
            ax.axvline(x[row][0], color=color, lw=0.8, zorder=1.5).set_gid(gid)
            ax.scatter(x[row], y[row], s=size, zorder=3.5, **look).set_gid(gid)
    rings_or_not = column == "alarm" and bool(np.isin(y[np.isfinite(y)], [_QUIET, _RINGS]).all())
    if rings_or_not:
        ax.set_ylim(_QUIET - 0.4, _RINGS + 0.4)
        ax.set_yticks([_QUIET, _RINGS], ["quiet", "rings"])
    else:
        ax.plot(x, y, color=MUTED, lw=0.8, zorder=2)
        ax.yaxis.set_major_locator(MaxNLocator(nbins=4))
        if column == "alarm":
            ax.axhline(ALARM_FROM, color=MUTED, lw=0.7, ls=":", zorder=1.2)
    colors, markers = point_colors(table["point"].to_numpy()), markers_of(table)
    for marker in sorted(set(markers)):
        rows = markers == marker
        dots = ax.scatter(
            x[rows], y[rows], c=colors[rows], s=14, marker=marker, edgecolors=INK, linewidths=0.4, zorder=3
        )
        dots.set_gid("points")
    if horizontal == "point":
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    if is_percent(column):
        widen(ax, "y")


def _name_values(ax: Axes, points: list[int], told: Told) -> None:
    """Name points by the values of the option of a sweep, as many as fit."""
    names = [told.values[point].removeprefix(f"{told.knob} ") for point in points]
    every = -(-sum(len(name) + 1 for name in names) // _LETTERS)
    ax.set_xticks(points[::every], names[::every])


def _entries(table: pd.DataFrame, columns: list[str], special: dict[str, int | None], over: np.ndarray) -> list[Artist]:
    names = names_of_extremes(table)
    shapes = dict(zip(table["point"], markers_of(table), strict=True))
    entries: list[Artist] = [
        marker_entry(name, marker=shapes[point], mfc=MUTED, mec=INK, mew=0.4, ms=4.2) for point, name in names.items()
    ]
    if any(interval(table, column) is not None for column in columns):
        entries.append(Patch(facecolor=MUTED, alpha=0.35, lw=0, label="interval"))
    points = table["point"].tolist()
    if special["recommended"] in points:
        entries.append(recommended_entry())
    if special["selected"] in points:
        entries.append(selected_entry())
    if over.any():
        entries.append(shade_entry())
    return entries


def _words(column: str, higher: bool) -> str:
    title = title_of(column).replace(", ", "\n", 1)
    return f"{title}{' ' * 3 if len(title) < _SHORT else chr(10)}better {_UP if higher else _DOWN}"
