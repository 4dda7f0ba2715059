"""Draw a front: one panel, or the panels of the published figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pl._finish import Finish
from scpareto.pl._front_axes import draw_axes, draw_title, same_limits
from scpareto.pl._front_names import write_names
from scpareto.pl._legend import draw_legend, draw_legend_above, entries_of
from scpareto.pl._marks import draw_course, draw_intervals, draw_points, draw_special, interval_ends
from scpareto.pl._others import draw_others, others_of
from scpareto.pl._plane import by_name, planes_of, points_chosen
from scpareto.pl._sources import front_in
from scpareto.pl._style import COLUMN_WIDTH, LABEL_SIZE, new_axes, settle, tidy

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from scpareto.pl._plane import Plane
    from scpareto.pl._sources import FrontSource

_HEIGHT = 2.9  # inches
_CORNER = 0.42
"""Share of the axes that a legend in a corner takes, at most."""


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

    By default the axes are what is left of the batch and what is kept of the structure, in %, where the front was
    judged. There a line joins the points in order, and points that another one beats beyond their paired intervals, as
    the column `non_dominated` says, are hollow. In other planes the points that no other one dominates are found by the
    values drawn, for each front by itself, and joined by the border of the region that they dominate.

    Points of a single front are coloured and numbered along it, and the extremes have their own markers and names.
    Several fronts have a colour, a marker and a line each, and only extremes and selected points are named, extremes
    that lie together once. Points whose over-correction alarm rings are crossed out. The recommended point is ringed
    and the selected one framed; the title is the recommendation.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front` or its table with one row for each of `n` points; a model with a front; or an
        AnnData in which :func:`scpareto.tl.integrate`, :func:`scpareto.tl.sweep` or a training noted one. Several are
        given by name, or in a list, which calls them "front 1", "front 2" and so on.
    key
        Of an AnnData that notes several fronts, which one: a name in `adata.uns["scpareto"]`; by default all.
    x, y
        Any two columns that measure a point, for example `leakage_mean` and `generative_loss_test`, the plane of
        publications. By default `batch_left` (or `<nuisance>_left`) and `structure_kept`; where these were not judged
        `leakage_mean` (else the first nuisance objective on test cells) and `generative_loss_test`.
    selected
        Number of the point to frame; of several fronts a point in each, or points by the name of the front. By default
        the one that the model is in, unless it is the recommended one.
    others
        Points of other methods: one row for each, indexed by its name, with the columns `x` and `y`, and optionally
        their intervals. Methods without both values are left out.
    intervals
        Whether to draw error bars where `<column>_low` and `<column>_high` exist.
    label_points
        Whether to write numbers, or of a sweep the values of its option, and the names of the extremes. Other methods
        always have their names.
    higher_is_better
        Columns of which larger values are better, beside those known (retention and the scores of scib-metrics).
    legend
        Whether to explain the markers: of several fronts above a new figure, of one in a corner.
    title
        Whether to write what the front recommends, which a table does not know. Several fronts have no title.
    ax
        Where to draw; by default a new figure of one journal column.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"front.pdf"`; its folder is made.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    The axes. Artists carry the ids `"non-dominated"`, `"dominated"`, `"course"` or `"border"`, `"interval"`,
    `"recommended"`, `"selected"`, `"alarm"` and `"other"`.

    Raises
    ------
    TypeError
        If `front` is no front or `others` no table.
    KeyError
        If an AnnData notes no front, or none of this `key`.
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
    planes = planes_of(by_name(front, key), x, y, higher_is_better)
    chosen = points_chosen(planes, selected)
    beside = others_of(others, planes[0].columns)
    alone = ax is None
    if ax is None:
        ax = new_axes(figsize=(COLUMN_WIDTH, _HEIGHT))[1][0, 0]
        tidy(ax)
    for plane, point in zip(planes, chosen, strict=True):
        draw_course(ax, plane)
        if intervals:
            draw_intervals(ax, interval_ends(plane.table, plane.columns, plane.xy), plane.colors)
        draw_points(ax, plane, plane.nondominated, filled=True)
        draw_points(ax, plane, ~plane.nondominated, filled=False)
        draw_special(ax, plane, point, plane.everything)
    draw_others(ax, beside, intervals=intervals)
    draw_axes(ax, planes[0])
    masks = [plane.everything for plane in planes]
    if legend and alone and planes[0].name is not None:
        draw_legend_above(ax, entries_of(planes, chosen, masks=masks))
    elif legend:
        draw_legend(ax, entries_of(planes, chosen, masks=masks), place=_free_corner(ax, planes))
    if title and len(planes) == 1:
        draw_title(ax, planes[0].told.sentence)
    write_names(ax, planes, chosen, beside, masks=masks, points=label_points, intervals=intervals, course=True)
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
        A :class:`~scpareto.pareto.Front` or its table, a model with a front, or an AnnData that notes one.
    key
        Of an AnnData that notes several fronts, which one: a name in `adata.uns["scpareto"]`.
    x, y, intervals, label_points, higher_is_better, title
        As in :func:`front`; the title stands above a new figure alone.
    selected
        Number of the point to frame; by default the one that the model is in, unless it is the recommended one.
    axes
        Two axes to draw in; by default a new figure of two journal columns whose panels share their axes.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as `"front.pdf"`; its folder is made.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Array of two axes, shape `(2,)`: all candidates, and the non-dominated set.

    Raises
    ------
    TypeError
        If `front` is no front.
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
    (plane,) = planes_of({None: front_in(front, key=key)}, x, y, higher_is_better)
    chosen = points_chosen([plane], selected)
    if axes is None:
        figure, grid = new_axes(1, 2, figsize=(2 * COLUMN_WIDTH, _HEIGHT), share=True)
        panels = grid[0]
        for ax in panels:
            tidy(ax)
        if title and plane.told.sentence:
            figure.suptitle(plane.told.sentence, fontsize=LABEL_SIZE, x=0.01, ha="left")
    else:
        panels = np.asarray(axes, dtype=object).ravel()
        if len(panels) != 2:
            raise ValueError(f"front_panels draws in 2 axes, got {len(panels)}.")
    shown = (plane.everything, plane.nondominated)
    bars = interval_ends(plane.table, plane.columns, plane.xy) if intervals else []
    for ax, mask in zip(panels, shown, strict=True):
        if mask is plane.nondominated and not plane.judged:
            draw_course(ax, plane)
        draw_intervals(ax, [ends[mask] for ends in bars], plane.colors[mask])
        draw_points(ax, plane, mask, filled=True)
        draw_special(ax, plane, chosen[0], mask)
        draw_axes(ax, plane)
    same_limits(panels)
    panels[1].set_ylabel("")
    names = (f"all {len(plane.xy)} points", f"{int(plane.nondominated.sum())} non-dominated")
    for ax, name in zip(panels, names, strict=True):
        ax.set_title(name, fontsize=LABEL_SIZE, loc="left")
    draw_legend(panels[0], entries_of([plane], chosen, masks=shown[:1], nondominated=False), place="above")
    if label_points:
        settle(panels[0])
        for ax, mask in zip(panels, shown, strict=True):
            write_names(
                ax,
                [plane],
                chosen,
                others_of(None, plane.columns),
                masks=[mask],
                points=True,
                intervals=intervals,
                course=mask is plane.nondominated and not plane.judged,
            )
    return finish(panels)


def _free_corner(ax: Axes, planes: Sequence[Plane]) -> str:
    """Where a legend covers least: a judged front seldom leaves much and keeps little."""
    if not all(plane.judged for plane in planes):
        return "best"
    worst = f"{'lower' if planes[0].higher[1] else 'upper'} {'left' if planes[0].higher[0] else 'right'}"
    places = ax.transAxes.inverted().transform(ax.transData.transform(np.vstack([plane.xy for plane in planes])))
    away = 1 - places if "right" in worst else places
    height = places[:, 1] if "lower" in worst else 1 - places[:, 1]
    return "best" if ((away[:, 0] < _CORNER) & (height < _CORNER)).any() else worst
