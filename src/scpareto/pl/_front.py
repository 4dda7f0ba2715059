from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ._alarm import draw_zone
from ._front_names import write_names
from ._legend import draw_legend, entries_of
from ._marks import draw_border, draw_intervals, draw_points, draw_selected, interval_ends
from ._others import draw_others, others_of
from ._plane import planes_of, points_chosen, tables_of
from ._style import COLUMN_WIDTH, LABEL_SIZE, new_axes, settle, tidy
from ._table import as_table
from ._titles import broken_title

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from ._plane import Plane
    from ._table import FrontLike

_HEIGHT = 2.9  # inches
_LONGEST = 44  # characters of a line beside an axis of that height


def front(
    front: FrontLike | pd.DataFrame | Mapping[str, FrontLike | pd.DataFrame] | Sequence[FrontLike | pd.DataFrame],
    *,
    x: str | None = None,
    y: str | None = None,
    selected: int | Mapping[str, int] | None = None,
    others: pd.DataFrame | None = None,
    intervals: bool = True,
    label_points: bool = True,
    higher_is_better: Collection[str] = (),
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a front, or several, in the plane of two of its columns.

    The non-dominated set is recomputed in the plane that is drawn, for each front by itself: non-dominated points are
    filled and joined by the border of the region that they dominate, dominated points are hollow. Points of a single
    front are coloured and numbered along it, and the extremes have their own markers and names. Several fronts have a
    colour, a marker and a line each, and only extremes and chosen points are named, extremes that lie together once.
    The zone of points whose `alarm` rings is hatched.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front`, or its table with one row for each of `n` points. Several are given by name,
        or in a list, which calls them "front 1", "front 2" and so on.
    x, y
        Any two columns that measure a point. By default `leakage_mean` (else the first nuisance objective on test
        cells) and `generative_loss_test`.
    selected
        Number of the point to ring; of several fronts a point in each, or points by the name of the front.
    others
        Points of other methods: one row for each, indexed by its name, with the columns `x` and `y`, and optionally
        their intervals. Methods without both values are left out.
    intervals
        Whether to draw error bars where `<column>_low` and `<column>_high` exist.
    label_points
        Whether to write numbers and the names of the extremes. Other methods always have their names.
    higher_is_better
        Columns of which larger values are better, beside those known (retention and the scores of scib-metrics).
    legend
        Whether to explain the markers.
    ax
        Where to draw; by default a new figure of one journal column.

    Returns
    -------
    The axes. Artists carry the ids `"non-dominated"`, `"dominated"`, `"border"`, `"interval"`, `"selected"`, `"alarm"`
    and `"other"`.

    Raises
    ------
    TypeError
        If `front` is no front or `others` no table.
    ValueError
        If a column cannot be drawn, no point has both values, `selected` is not a point, or an alarm lies outside
        [0, 1].

    Examples
    --------
    >>> import pandas as pd
    >>> import scpareto.pl as pl
    >>> table = pd.DataFrame(
    ...     {"point": [0, 1, 2], "leakage_mean": [0.9, 0.3, 0.1], "generative_loss_test": [330.0, 331.0, 336.0]}
    ... )
    >>> ax = pl.front(table, selected=1)
    >>> ax.get_ylabel()
    'generative loss, test cells (nats per cell)'

    Two fronts and a point of scVI:

    >>> scvi = pd.DataFrame({"leakage_mean": [0.7], "generative_loss_test": [330.2]}, index=["scVI"])
    >>> ax = pl.front({"MINE": table, "MMD": table.assign(leakage_mean=[0.8, 0.4, 0.2])}, others=scvi)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['MINE', 'MMD']
    """
    planes = planes_of(tables_of(front), x, y, higher_is_better)
    chosen = points_chosen(planes, selected)
    beside = others_of(others, planes[0].columns)
    if ax is None:
        ax = new_axes(figsize=(COLUMN_WIDTH, _HEIGHT))[1][0, 0]
        tidy(ax)
    _draw_axes(ax, planes[0])
    for plane, point in zip(planes, chosen, strict=True):
        draw_zone(ax, plane.xy, plane.over, joined=plane.is_line, **plane.zone)
        draw_border(ax, plane)
        if intervals:
            draw_intervals(ax, interval_ends(plane.table, plane.columns, plane.xy), plane.colors)
        draw_points(ax, plane, plane.culled, filled=True)
        draw_points(ax, plane, ~plane.culled, filled=False)
        draw_selected(ax, plane, point, plane.everything)
    draw_others(ax, beside, intervals=intervals)
    if legend:
        draw_legend(ax, entries_of(planes, chosen=any(point is not None for point in chosen)))
    write_names(
        ax,
        planes,
        chosen,
        beside,
        masks=[plane.everything for plane in planes],
        points=label_points,
        intervals=intervals,
        border=True,
    )
    return ax


def front_panels(
    front: FrontLike | pd.DataFrame,
    *,
    x: str | None = None,
    y: str | None = None,
    selected: int | None = None,
    intervals: bool = True,
    label_points: bool = True,
    higher_is_better: Collection[str] = (),
    axes: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """Draw all candidates of a front and the non-dominated ones side by side.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front`, or its table with one row for each of `n` points.
    x, y, intervals, label_points, higher_is_better
        As in :func:`front`.
    selected
        Number of the point to ring.
    axes
        Two axes to draw in; by default a new figure of two journal columns whose panels share their axes.

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
    (plane,) = planes_of({None: as_table(front)}, x, y, higher_is_better)
    chosen = points_chosen([plane], selected)
    if axes is None:
        panels = new_axes(1, 2, figsize=(2 * COLUMN_WIDTH, _HEIGHT), share=True)[1][0]
        for ax in panels:
            tidy(ax)
    else:
        panels = np.asarray(axes, dtype=object).ravel()
        if len(panels) != 2:
            raise ValueError(f"front_panels draws in 2 axes, got {len(panels)}.")
    shown = (plane.everything, plane.culled)
    bars = interval_ends(plane.table, plane.columns, plane.xy) if intervals else []
    for ax, mask in zip(panels, shown, strict=True):
        draw_zone(ax, plane.xy[mask], plane.over[mask], joined=plane.is_line)
        if mask is plane.culled:
            draw_border(ax, plane)
        draw_intervals(ax, [ends[mask] for ends in bars], plane.colors[mask])
        draw_points(ax, plane, mask, filled=True)
        draw_selected(ax, plane, chosen[0], mask)
        _draw_axes(ax, plane)
    _same_limits(panels)
    panels[1].set_ylabel("")
    names = (f"all {len(plane.xy)} points", f"{int(plane.culled.sum())} non-dominated")
    for ax, name in zip(panels, names, strict=True):
        ax.set_title(name, fontsize=LABEL_SIZE, loc="left")
    if plane.over.any():
        draw_legend(panels[0], entries_of([plane], chosen=chosen[0] is not None, culled=False), above=True)
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
                border=mask is plane.culled,
            )
    return panels


def _draw_axes(ax: Axes, plane: Plane) -> None:
    words = [
        broken_title(column, _LONGEST) + ("\nhigher is better" if higher else "")
        for column, higher in zip(plane.columns, plane.higher, strict=True)
    ]
    ax.set_xlabel(words[0], fontsize=LABEL_SIZE)
    ax.set_ylabel(words[1], fontsize=LABEL_SIZE)
    ax.margins(0.1)


def _same_limits(panels: np.ndarray) -> None:
    limits = np.array([[*ax.get_xlim(), *ax.get_ylim()] for ax in panels])
    for ax in panels:
        ax.set_xlim(limits[:, 0].min(), limits[:, 1].max())
        ax.set_ylim(limits[:, 2].min(), limits[:, 3].max())
