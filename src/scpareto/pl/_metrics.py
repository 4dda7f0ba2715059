"""Draw measures of the points along a front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from scpareto._constants import ALARM_FROM, GENERATIVE_LOSS
from scpareto.pl._alarm import find_alarmed, shade_alarm, shade_entry
from scpareto.pl._finish import Finish
from scpareto.pl._front_axes import widen_limits
from scpareto.pl._legend import draw_legend_below, marker_entry, recommended_entry, selected_entry
from scpareto.pl._marks import FRAME, RING
from scpareto.pl._palette import HIGHLIGHT
from scpareto.pl._recommendation import Recommendation, get_recommendation
from scpareto.pl._sources import find_front
from scpareto.pl._style import COLUMN_WIDTH, INK, MUTED, NOTE_SIZE, make_axes, point_colors, tidy
from scpareto.pl._table import (
    as_table,
    check_columns,
    choose_markers,
    find_judged_plane,
    get_interval,
    get_objectives,
    is_higher_better,
    is_percent,
    list_measures,
    name_extremes,
)
from scpareto.pl._titles import get_title, wrap_title

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Sequence

    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from scpareto.pl._sources import FrontSource

_MAX_CHARACTERS = 27  # characters below a panel of half a column
_MAX_SHORT_TITLE = 20  # characters of a name that leave room for the better direction in its line
_UP, _DOWN = "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}"
_AUDIT_COLUMNS = (
    *("leakage_mean", "leakage_sample", "retention"),
    *("scib_bio", "scib_batch", "scib_total", "alarm"),
)
_JUDGE_COLUMNS = (f"{GENERATIVE_LOSS}_test", "retention", "scib_bio", "scib_batch", "scib_total", "alarm")
_MAX_LETTERS = 22
"""Characters that fit below a panel of half a column, for the values of a sweep and the gaps between them."""
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
    """Draw columns of a front against its points, with one small panel for each.

    Points have the colours and markers of :func:`front`: a square is the uncorrected extreme, diamonds are the other
    extremes, the recommended point has a ring and the selected one a frame. Intervals are shaded if `<column>_low` and
    `<column>_high` exist. Ranges in which the `alarm` rings are hatched; they end half-way to the neighbours.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front` or its table with one row for each of `n` points, a model with a front, or an
        AnnData that stores one.
    columns
        Any columns that measure a point. By default batch left, structure kept, the generative loss on test cells,
        retention, the aggregates of scib-metrics and the alarm, as far as they were measured. If the front was not
        judged, the nuisances on test cells and leakage replace the first two.
    key
        Key of the front in an AnnData that stores several, a name in `adata.uns["scpareto"]`.
    x
        `"point"` (for a sweep labelled by the values of its option), `"preference"` (if there is only one nuisance), a
        column `preference_<objective>`, or any column that measures a point, such as `leakage_mean`; points without a
        value are left out.
    selected
        Number of the point to mark; by default the selected point of the model, unless it is the recommended one.
    higher_is_better
        Columns whose larger values are better, besides the known ones.
    n_columns
        Number of panels in a row in a new figure.
    legend
        Whether to draw a legend of extremes, intervals, marked points and the alarm, below the panels of a new figure.
    axes
        Axes to draw on, one for each column; by default of a new figure.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"metrics.pdf"`; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Axes of shape `(n_panels,)`. Artists carry the ids `"points"`, `"interval"`, `"recommended"`, `"selected"` and
    `"alarm"`.

    Raises
    ------
    TypeError
        If `front` is not a front.
    KeyError
        If an AnnData stores no front.
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
    front = find_front(front, key=key)
    table, recommendation = as_table(front), get_recommendation(front)
    names = _default_columns(table) if columns is None else list(columns)
    if not names:
        raise ValueError(f"There are no columns to draw; valid columns: {', '.join(list_measures(table))}.")
    check_columns(table, [*names, *higher_is_better])
    if n_columns < 1:
        raise ValueError(f"n_columns={n_columns} must be at least 1.")
    x_column = _choose_x(table, x)
    table = table[table[x_column].notna()].sort_values(x_column, kind="stable").reset_index(drop=True)
    if selected is not None and selected not in table["point"].tolist():
        valid = sorted(table["point"].tolist())
        raise ValueError(f"selected={selected!r} is not a point of this front; points: {valid}.")
    if selected is None and recommendation.selected in table["point"].tolist():
        selected = recommendation.selected
    rings = find_alarmed(table)
    panels = _make_panels(len(names), n_columns) if axes is None else np.asarray(axes, dtype=object).ravel()
    if len(panels) != len(names):
        raise ValueError(f"{len(names)} columns need as many axes, got {len(panels)}.")
    x_values = table[x_column].to_numpy(dtype=float)
    marked_points = {"recommended": recommendation.recommended, "selected": selected}
    for ax, name in zip(panels, names, strict=True):
        edges = shade_alarm(ax, x_values, rings)
        ax.margins(y=0.14)
        ax.set_xlim(edges[0], edges[-1])
        _draw_measure(ax, table, x_column, name, marked_points)
        higher = is_higher_better(table, name, higher_is_better=higher_is_better)
        label = get_title(name) if name == "alarm" else _make_title(name, higher)
        ax.set_title(label, fontsize=NOTE_SIZE, loc="left", pad=3)
        if recommendation.values and x_column == "point":
            _label_values(ax, table["point"].tolist(), recommendation)
    for ax in panels if axes is not None else panels[-n_columns:]:
        label = (
            recommendation.knob
            if recommendation.values and x_column == "point"
            else wrap_title(x_column, _MAX_CHARACTERS)
        )
        ax.set_xlabel(label, fontsize=NOTE_SIZE + 0.5)
    if legend and axes is None:
        draw_legend_below(panels[0], _entries(table, names, marked_points, rings))
    return finish(panels)


def _default_columns(table: pd.DataFrame) -> list[str]:
    losses = [f"{GENERATIVE_LOSS}_test", *(f"{name}_test" for name in get_objectives(table)[1:])]
    available, judged = list_measures(table), find_judged_plane(table)
    candidates = [*losses, *_AUDIT_COLUMNS] if judged is None else [*judged, *_JUDGE_COLUMNS]
    return [c for c in candidates if c in available]


def _choose_x(table: pd.DataFrame, x: str) -> str:
    preferences = [str(c) for c in table.columns if str(c).startswith("preference_")]
    nuisances = [c for c in preferences if c != f"preference_{GENERATIVE_LOSS}"]
    if x == "preference" and len(nuisances) == 1:
        return nuisances[0]
    valid = ["point", *preferences, *list_measures(table)]
    check_columns(table, [x], valid=valid if len(nuisances) != 1 else ["preference", *valid])
    return x


def _make_panels(n_panels: int, n_columns: int) -> np.ndarray:
    n_columns = min(n_columns, n_panels)
    n_rows = -(-n_panels // n_columns)
    width = COLUMN_WIDTH / 2 if n_columns > 1 else 0.7 * COLUMN_WIDTH
    figure, grid = make_axes(n_rows, n_columns, figsize=(width * n_columns, 1.35 * n_rows + 0.15))
    for ax in grid.flat[n_panels:]:
        figure.delaxes(ax)
    panels = np.asarray(grid.flat[:n_panels], dtype=object)
    for ax in panels:
        tidy(ax)
    return panels


def _draw_measure(
    ax: Axes, table: pd.DataFrame, x_column: str, column: str, marked_points: dict[str, int | None]
) -> None:
    x, y = table[x_column].to_numpy(dtype=float), table[column].to_numpy(dtype=float)
    ends = get_interval(table, column)
    if ends is not None:
        ax.fill_between(x, *ends.T, color=MUTED, alpha=0.35, lw=0, zorder=1).set_gid("interval")
    styles: dict[str, tuple[str, int, dict[str, Any]]] = {
        "recommended": (HIGHLIGHT, 60, RING),
        "selected": (INK, 90, FRAME),
    }
    for gid, point in marked_points.items():
        color, size, style = styles[gid]
        row = (table["point"] == point).to_numpy()
        if row.any():
            ax.axvline(x[row][0], color=color, lw=0.8, zorder=1.5).set_gid(gid)
            ax.scatter(x[row], y[row], s=size, zorder=3.5, **style).set_gid(gid)
    is_binary = column == "alarm" and bool(np.isin(y[np.isfinite(y)], [_QUIET, _RINGS]).all())
    if is_binary:
        ax.set_ylim(_QUIET - 0.4, _RINGS + 0.4)
        ax.set_yticks([_QUIET, _RINGS], ["quiet", "rings"])
    else:
        ax.plot(x, y, color=MUTED, lw=0.8, zorder=2)
        ax.yaxis.set_major_locator(MaxNLocator(nbins=4))
        if column == "alarm":
            ax.axhline(ALARM_FROM, color=MUTED, lw=0.7, ls=":", zorder=1.2)
    colors, markers = point_colors(table["point"].to_numpy()), choose_markers(table)
    for marker in sorted(set(markers)):
        rows = markers == marker
        dots = ax.scatter(
            x[rows], y[rows], c=colors[rows], s=14, marker=marker, edgecolors=INK, linewidths=0.4, zorder=3
        )
        dots.set_gid("points")
    if x_column == "point":
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    if is_percent(column):
        widen_limits(ax, "y")


def _label_values(ax: Axes, points: list[int], recommendation: Recommendation) -> None:
    """Label points by the values of a sweep's option, as many as fit."""
    names = [recommendation.values[point].removeprefix(f"{recommendation.knob} ") for point in points]
    step = -(-sum(len(name) + 1 for name in names) // _MAX_LETTERS)
    ax.set_xticks(points[::step], names[::step])


def _entries(
    table: pd.DataFrame, columns: list[str], marked_points: dict[str, int | None], rings: np.ndarray
) -> list[Artist]:
    names = name_extremes(table)
    shapes = dict(zip(table["point"], choose_markers(table), strict=True))
    entries: list[Artist] = [
        marker_entry(name, marker=shapes[point], mfc=MUTED, mec=INK, mew=0.4, ms=4.2) for point, name in names.items()
    ]
    if any(get_interval(table, column) is not None for column in columns):
        entries.append(Patch(facecolor=MUTED, alpha=0.35, lw=0, label="interval"))
    points = table["point"].tolist()
    if marked_points["recommended"] in points:
        entries.append(recommended_entry())
    if marked_points["selected"] in points:
        entries.append(selected_entry())
    if rings.any():
        entries.append(shade_entry())
    return entries


def _make_title(column: str, higher: bool) -> str:
    title = get_title(column).replace(", ", "\n", 1)
    return f"{title}{' ' * 3 if len(title) < _MAX_SHORT_TITLE else chr(10)}better {_UP if higher else _DOWN}"
