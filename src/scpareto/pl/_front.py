"""Draw a front: one panel, or the panels of the published figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pl._finish import Finish
from scpareto.pl._front_axes import draw_axes, draw_title, share_limits
from scpareto.pl._front_names import write_names
from scpareto.pl._legend import draw_legend, draw_legend_above, make_entries
from scpareto.pl._marks import draw_intervals, draw_line, draw_points, draw_special, get_error_bars
from scpareto.pl._others import draw_others, read_others
from scpareto.pl._plane import get_selected_points, make_planes, name_fronts
from scpareto.pl._sources import find_front
from scpareto.pl._style import COLUMN_WIDTH, LABEL_SIZE, make_axes, tidy, update_layout

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from scpareto.pl._plane import Plane
    from scpareto.pl._sources import FrontSource

_HEIGHT = 2.9  # inches
_CORNER_SIZE = 0.42
"""Largest share of the axes that a legend in a corner covers."""


def front(
    front: FrontSource | Mapping[str, FrontSource] | Sequence[FrontSource],
    *,
    key: str | None = None,
    x: str | None = None,
    y: str | None = None,
    selected: int | Mapping[str, int] | None = None,
    others: pd.DataFrame | None = None,
    intervals: bool = True,
    label_points: bool = True,
    higher_is_better: Collection[str] = (),
    legend: bool = True,
    title: bool = True,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw a front, or several, in the plane of two of its columns.

    If the front was judged, the axes are by default the batch left and the structure kept, in %. In this plane a line
    joins the points in order, and points that another point dominates beyond their paired intervals (column
    `non_dominated`) are hollow. In other planes non-dominated points are found by the drawn values, for each front
    separately, and the line is the border of the region that they dominate.

    Points of a single front are coloured and numbered along it, and the extremes have their own markers and names.
    Each of several fronts has its own colour, marker and line, and only extremes and selected points are named;
    extremes at the same position are named once. Points whose over-correction alarm rings are crossed out. The
    recommended point has a ring, the selected one a frame; the title is the recommendation.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front` or its table with one row for each of `n` points; a model with a front; or an
        AnnData in which :func:`scpareto.tl.integrate`, :func:`scpareto.tl.sweep` or a training stored one. Give several
        by name, or in a list, which names them "front 1", "front 2" and so on.
    key
        Key of the front in an AnnData that stores several, a name in `adata.uns["scpareto"]`; by default all.
    x, y
        Any two columns that measure a point, for example `leakage_mean` and `generative_loss_test`, the published
        plane. By default `batch_left` (or `<nuisance>_left`) and `structure_kept`; if these were not judged,
        `leakage_mean` (or the first nuisance objective on test cells) and `generative_loss_test`.
    selected
        Number of the point to frame; for several fronts a point in each, or points by the name of the front. By default
        the selected point of the model, unless it is the recommended one.
    others
        Points of other methods: one row for each, indexed by its name, with the columns `x` and `y`, and optionally
        their intervals. Methods without both values are left out.
    intervals
        Whether to draw error bars where `<column>_low` and `<column>_high` exist.
    label_points
        Whether to write the numbers of points, or for a sweep the values of its option, and the names of the extremes.
        The names of other methods are always written.
    higher_is_better
        Columns whose larger values are better, besides the known ones (retention and the scores of scib-metrics).
    legend
        Whether to draw a legend: in a corner for one front, above a new figure for several.
    title
        Whether to write the recommendation of the front as a title; tables and several fronts have none.
    ax
        Axes to draw on; by default a new figure of one journal column.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"front.pdf"`; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    The axes. Artists carry the ids `"non-dominated"`, `"dominated"`, `"course"` or `"border"`, `"interval"`,
    `"recommended"`, `"selected"`, `"alarm"` and `"other"`.

    Raises
    ------
    TypeError
        If `front` is not a front or `others` is not a table.
    KeyError
        If an AnnData stores no front, or none under this `key`.
    ValueError
        If a model has no front yet, `save` cannot be written, a column cannot be drawn, no point has both values,
        `selected` is not a point, or an alarm lies outside [0, 1].

    Examples
    --------
    >>> import pandas as pd
    >>> import scpareto.pl as pl
    >>> from scpareto.pareto import Front
    >>> judged = pd.DataFrame({"point": [0, 1, 2], "batch_left": [30.0, 8.0, 7.0], "alarm": [0.0, 0.0, 1.0]})
    >>> judged["structure_kept"] = [98.0, 97.0, 80.0]
    >>> ax = pl.front(Front(judged, objectives=["generative_loss", "classifier"]))
    >>> " ".join(ax.get_title(loc="left").split())
    'Recommended: point 1, 8 % of the batch left, 97 % of the structure kept.'

    Two fronts that were not judged, and a point of scVI:

    >>> mine = pd.DataFrame(
    ...     {"point": [0, 1, 2], "leakage_mean": [0.9, 0.3, 0.1], "generative_loss_test": [330.0, 331.0, 336.0]}
    ... )
    >>> scvi = pd.DataFrame({"leakage_mean": [0.7], "generative_loss_test": [330.2]}, index=["scVI"])
    >>> ax = pl.front({"MINE": mine, "MMD": mine.assign(leakage_mean=[0.8, 0.4, 0.2])}, others=scvi)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['MINE', 'MMD']
    """
    finish = Finish(show, save, return_fig)
    planes = make_planes(name_fronts(front, key), x, y, higher_is_better)
    selected_points = get_selected_points(planes, selected)
    other_points = read_others(others, planes[0].columns)
    new_figure = ax is None
    if ax is None:
        ax = make_axes(figsize=(COLUMN_WIDTH, _HEIGHT))[1][0, 0]
        tidy(ax)
    for plane, point in zip(planes, selected_points, strict=True):
        draw_line(ax, plane)
        if intervals:
            draw_intervals(ax, get_error_bars(plane.table, plane.columns, plane.xy), plane.colors)
        draw_points(ax, plane, plane.nondominated, filled=True)
        draw_points(ax, plane, ~plane.nondominated, filled=False)
        draw_special(ax, plane, point, plane.all_points)
    draw_others(ax, other_points, intervals=intervals)
    draw_axes(ax, planes[0])
    masks = [plane.all_points for plane in planes]
    if legend and new_figure and planes[0].name is not None:
        draw_legend_above(ax, make_entries(planes, selected_points, masks=masks))
    elif legend:
        draw_legend(ax, make_entries(planes, selected_points, masks=masks), place=_find_free_corner(ax, planes))
    if title and len(planes) == 1:
        draw_title(ax, planes[0].recommendation.sentence)
    write_names(
        ax, planes, selected_points, other_points, masks=masks, points=label_points, intervals=intervals, lines=True
    )
    return finish(ax)


def front_panels(
    front: FrontSource,
    *,
    key: str | None = None,
    x: str | None = None,
    y: str | None = None,
    selected: int | None = None,
    intervals: bool = True,
    label_points: bool = True,
    higher_is_better: Collection[str] = (),
    title: bool = True,
    axes: Sequence[Axes] | np.ndarray | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw all candidates of a front and the non-dominated ones side by side.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front` or its table, a model with a front, or an AnnData that stores one.
    key
        Key of the front in an AnnData that stores several, a name in `adata.uns["scpareto"]`.
    x, y, intervals, label_points, higher_is_better, title
        As in :func:`front`; the title is written above a new figure only.
    selected
        Number of the point to frame; by default the selected point of the model, unless it is the recommended one.
    axes
        Two axes to draw in; by default a new figure of two journal columns whose panels share their axes.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"front.pdf"`; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Array of two axes, shape `(2,)`: all candidates, and the non-dominated set.

    Raises
    ------
    TypeError
        If `front` is not a front.
    ValueError
        As in :func:`front`, or if there are not two `axes`.

    Examples
    --------
    >>> import pandas as pd
    >>> import scpareto.pl as pl
    >>> table = pd.DataFrame(
    ...     {"point": [0, 1, 2], "leakage_mean": [0.9, 0.3, 0.4], "generative_loss_test": [330.0, 331.0, 336.0]}
    ... )
    >>> [ax.get_title(loc="left") for ax in pl.front_panels(table)]
    ['all 3 points', '2 non-dominated']
    """
    finish = Finish(show, save, return_fig)
    (plane,) = make_planes({None: find_front(front, key=key)}, x, y, higher_is_better)
    selected_points = get_selected_points([plane], selected)
    if axes is None:
        figure, grid = make_axes(1, 2, figsize=(2 * COLUMN_WIDTH, _HEIGHT), share=True)
        panels = grid[0]
        for ax in panels:
            tidy(ax)
        if title and plane.recommendation.sentence:
            figure.suptitle(plane.recommendation.sentence, fontsize=LABEL_SIZE, x=0.01, ha="left")
    else:
        panels = np.asarray(axes, dtype=object).ravel()
        if len(panels) != 2:
            raise ValueError(f"front_panels draws in 2 axes, got {len(panels)}.")
    masks = (plane.all_points, plane.nondominated)
    bars = get_error_bars(plane.table, plane.columns, plane.xy) if intervals else []
    for ax, mask in zip(panels, masks, strict=True):
        if mask is plane.nondominated and not plane.judged:
            draw_line(ax, plane)
        draw_intervals(ax, [ends[mask] for ends in bars], plane.colors[mask])
        draw_points(ax, plane, mask, filled=True)
        draw_special(ax, plane, selected_points[0], mask)
        draw_axes(ax, plane)
    share_limits(panels)
    panels[1].set_ylabel("")
    names = (f"all {len(plane.xy)} points", f"{int(plane.nondominated.sum())} non-dominated")
    for ax, name in zip(panels, names, strict=True):
        ax.set_title(name, fontsize=LABEL_SIZE, loc="left")
    draw_legend(panels[0], make_entries([plane], selected_points, masks=masks[:1], nondominated=False), place="above")
    if label_points:
        update_layout(panels[0])
        for ax, mask in zip(panels, masks, strict=True):
            write_names(
                ax,
                [plane],
                selected_points,
                read_others(None, plane.columns),
                masks=[mask],
                points=True,
                intervals=intervals,
                lines=mask is plane.nondominated and not plane.judged,
            )
    return finish(panels)


def _find_free_corner(ax: Axes, planes: Sequence[Plane]) -> str:
    """Return the legend location that covers least: judged points seldom have much batch left and little structure."""
    if not all(plane.judged for plane in planes):
        return "best"
    worst = f"{'lower' if planes[0].higher[1] else 'upper'} {'left' if planes[0].higher[0] else 'right'}"
    places = ax.transAxes.inverted().transform(ax.transData.transform(np.vstack([plane.xy for plane in planes])))
    horizontal = 1 - places if "right" in worst else places
    height = places[:, 1] if "lower" in worst else 1 - places[:, 1]
    return "best" if ((horizontal[:, 0] < _CORNER_SIZE) & (height < _CORNER_SIZE)).any() else worst
