"""What was judged along the path of one training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from scpareto.pareto import Front, shares_of
from scpareto.pl._alarm import alarmed, cross_entry, draw_alarms
from scpareto.pl._finish import Finish
from scpareto.pl._front_axes import draw_title, widen
from scpareto.pl._labels import place_labels
from scpareto.pl._legend import draw_legend_below, marker_entry, recommended_entry, selected_entry
from scpareto.pl._marks import FRAME, RING, SIZE
from scpareto.pl._sources import front_in
from scpareto.pl._style import (
    COLUMN_WIDTH,
    FAINT,
    INK,
    LABEL_SIZE,
    MUTED,
    NOTE_SIZE,
    new_axes,
    point_colors,
    settle,
    tidy,
)
from scpareto.pl._table import as_table, interval, is_higher_better, markers_of, objectives_of
from scpareto.pl._titles import LEFT, axis_words
from scpareto.pl._told import told_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from scpareto.pl._sources import FrontSource

_HEIGHTS = (2.3, 1.5)  # inches
_LONGEST = 34  # characters along the higher axis
_LONGEST_LOWER = 22
_TICKS = (0.0, 0.02, 0.1, 0.25, 0.5, 1.0)
_FIT = "_fit"


def curve(
    front: FrontSource,
    *,
    key: str | None = None,
    selected: int | None = None,
    legend: bool = True,
    title: bool = True,
    axes: Sequence[Axes] | np.ndarray | None = None,
    show: bool | None = None,
    save: str | os.PathLike[str] | None = None,
    return_fig: bool = False,
) -> Any:
    """Draw what was judged along the path of one training, and where its points lie.

    What is left of the batch stands above, what is kept of the structure below. Judged values are drawn as they are,
    with their 95 % intervals as a band. The line through them is the falling fit by which ``batch_left=`` finds a
    place: it ends at the least value, and what lies beyond it is dotted, so that one sees whether the far end leaks
    more again. Beyond the last point the ground is grey: these places are reached by ``preference=`` alone. Points
    whose over-correction alarm rings are crossed out. The horizontal axis is stretched near the uncorrected end, where
    places are dense.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front` of one training for all preferences (``method="conditional"``), judged; a
        model with such a front; or an AnnData that notes one.
    key
        Of an AnnData that notes several fronts, which one: a name in ``adata.uns["scpareto"]``.
    selected
        Number of the point to frame; by default the one that the model is in, unless it is the recommended one.
    legend
        Whether to explain the marks, below the panels of a new figure.
    title
        Whether to write what the front recommends.
    axes
        Two axes to draw in; by default a new figure of one journal column.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as ``"curve.pdf"``; its folder is made.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Array of two axes, shape ``(2,)``. Artists carry the ids ``"judged"``, ``"interval"``, ``"fit"``, ``"beyond"``,
    ``"points"``, ``"alarm"``, ``"recommended"`` and ``"selected"``.

    Raises
    ------
    TypeError
        If ``front`` is no front, or a table.
    KeyError
        If an AnnData notes no front.
    ValueError
        If a model has no front yet, the front has no judged path, ``save`` cannot be written, ``selected`` is not a
        point, or there are not two ``axes``.

    Examples
    --------
    >>> import pandas as pd
    >>> import scpareto.pl as pl
    >>> from scpareto.pareto import Front
    >>> judged = pd.DataFrame(
    ...     {
    ...         "place": [0.0, 0.1, 0.4, 1.0],
    ...         "preference_classifier": [0.0, 0.04, 0.3, 0.97],
    ...         "batch_left": [30.0, 8.0, 5.0, 9.0],
    ...         "structure_kept": [98.0, 97.0, 95.0, 80.0],
    ...     }
    ... )
    >>> front = Front(objectives=["generative_loss", "classifier"], tables={"curve": judged})
    >>> front.add({"point": 0, "preference_generative_loss": 1.0, "preference_classifier": 0.0, "batch_left": 30.0})
    >>> front.add({"point": 1, "preference_generative_loss": 0.7, "preference_classifier": 0.3, "batch_left": 5.0})
    >>> above, below = pl.curve(front)
    >>> below.get_xlabel()
    'place along the path'
    """
    finish = Finish(show, save, return_fig)
    found = front_in(front, key=key)
    if not isinstance(found, Front):
        raise TypeError(f"front must be a Front with a judged path, got {type(found).__name__}.")
    judged, points, told = found.curve(), as_table(found), told_of(found)
    if selected is not None and selected not in points["point"].tolist():
        raise ValueError(f"selected={selected!r} is not a point of this front; points: {points['point'].tolist()}.")
    selected = told.selected if selected is None else selected
    columns = _columns(judged)
    if axes is None:
        size = (COLUMN_WIDTH, sum(_HEIGHTS))
        panels = new_axes(2, 1, figsize=size, heights=_HEIGHTS)[1][:, 0]
        for ax in panels:
            tidy(ax)
        panels[0].tick_params(labelbottom=False)
    else:
        panels = np.asarray(axes, dtype=object).ravel()
        if len(panels) != 2:
            raise ValueError(f"curve draws in 2 axes, got {len(panels)}.")
    places = _places(points)
    last = float(np.nanmax(places)) if np.isfinite(places).any() else 1.0
    special = {"recommended": told.recommended, "selected": selected}
    for ax, column, longest in zip(panels, columns, (_LONGEST, _LONGEST_LOWER), strict=True):
        ax.set_xscale("function", functions=(_stretched, np.square))
        _draw_curve(ax, judged, column)
        if last < 1:
            ax.axvspan(last, 1.0, color=FAINT, alpha=0.35, lw=0, zorder=0.3).set_gid("beyond")
        _draw_points(ax, points, places, column, special)
        ax.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
        ax.set_xlim(0.0, 1.0)
        ax.margins(y=0.14)
        widen(ax, "y")
        words = axis_words(column, higher=is_higher_better(points, column), longest=longest)
        ax.set_ylabel(words, fontsize=LABEL_SIZE)
    panels[1].set_xlabel("place along the path", fontsize=LABEL_SIZE)
    if title:
        draw_title(panels[0], told.sentence)
    if legend and axes is None:
        draw_legend_below(panels[0], _entries(judged, columns[0], last, special, rings=bool(alarmed(points).any())))
    _write_numbers(panels[0], points, places, columns[0], special)
    return finish(panels)


def _stretched(place: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(place, 0.0))


def _columns(judged: pd.DataFrame) -> tuple[str, str]:
    left = [str(c) for c in judged.columns if str(c).endswith(LEFT)]
    if not left or "structure_kept" not in judged:
        raise ValueError(f"The curve of the front has no judged values; its columns: {', '.join(judged.columns)}.")
    return left[0], "structure_kept"


def _places(points: pd.DataFrame) -> np.ndarray:
    """Share of the way of each point, shape `(n,)`; NaN without a preference."""
    columns = [f"preference_{name}" for name in objectives_of(points)]
    known = points[columns].to_numpy(dtype=float)
    return np.array([1 - shares_of(row)[0] if np.isfinite(row).all() else np.nan for row in known])


def _draw_curve(ax: Axes, judged: pd.DataFrame, column: str) -> None:
    place, values = judged["place"].to_numpy(dtype=float), judged[column].to_numpy(dtype=float)
    ends = interval(judged, column)
    if ends is not None:
        ax.fill_between(place, *ends.T, color=MUTED, alpha=0.25, lw=0, zorder=1).set_gid("interval")
    dots = ax.scatter(place, values, s=9, c=MUTED, lw=0, zorder=2, clip_on=False)
    dots.set_gid("judged")
    fit, until = values, len(values)
    if f"{column}{_FIT}" in judged:
        fit, until = judged[f"{column}{_FIT}"].to_numpy(dtype=float), int(np.nanargmin(values)) + 1
        ax.plot(place[until - 1 :], values[until - 1 :], color=MUTED, lw=1.0, ls=":", zorder=1.8)[0].set_gid("rest")
    ax.plot(place[:until], fit[:until], color=INK, lw=1.0, zorder=1.9)[0].set_gid("fit")


def _draw_points(
    ax: Axes, points: pd.DataFrame, places: np.ndarray, column: str, special: dict[str, int | None]
) -> None:
    if column not in points:
        return
    values, colors, markers = (
        points[column].to_numpy(dtype=float),
        point_colors(points["point"].to_numpy()),
        markers_of(points),
    )
    for marker in sorted(set(markers)):
        rows = markers == marker
        style = {"marker": marker, "edgecolors": INK, "linewidths": 0.5, "zorder": 3.0, "clip_on": False}
        ax.scatter(places[rows], values[rows], s=SIZE, c=colors[rows], **style).set_gid("points")
    draw_alarms(ax, np.column_stack([places, values])[alarmed(points)])
    for gid, size, look in (("recommended", 4.2, RING), ("selected", 6.0, FRAME)):
        rows = (points["point"] == special[gid]).to_numpy()
        if rows.any():
            ax.scatter(places[rows], values[rows], s=size * SIZE, zorder=3.5, clip_on=False, **look).set_gid(gid)


def _entries(
    judged: pd.DataFrame, column: str, last: float, special: dict[str, int | None], *, rings: bool
) -> list[Artist]:
    entries: list[Artist] = [marker_entry("judged", mfc=MUTED, mew=0, ms=3.0)]
    if interval(judged, column) is not None:
        entries.append(Patch(facecolor=MUTED, alpha=0.25, lw=0, label="95 % interval"))
    if f"{column}{_FIT}" in judged:
        entries.append(Line2D([], [], color=INK, lw=1.0, label="falling fit"))
    entries.append(marker_entry("point of the front", mfc="white", mec=INK, mew=0.5))
    if special["recommended"] is not None:
        entries.append(recommended_entry())
    if special["selected"] is not None:
        entries.append(selected_entry())
    if rings:
        entries.append(cross_entry())
    if last < 1:
        entries.append(Patch(facecolor=FAINT, alpha=0.35, lw=0, label="not offered"))
    return entries


def _write_numbers(
    ax: Axes, points: pd.DataFrame, places: np.ndarray, column: str, special: dict[str, int | None]
) -> None:
    if column not in points:
        return
    values = points[column].to_numpy(dtype=float)
    known = np.isfinite(places) & np.isfinite(values)
    if not known.any():
        return
    settle(ax)
    texts = [str(number) for number in points["point"][known]]
    xy = np.column_stack([places, values])[known]
    radius = np.where(points["point"][known].isin(list(special.values())), 7.0, 3.5)
    place_labels(ax, xy, texts, marker_radius=radius, fontsize=NOTE_SIZE, color=INK, zorder=4)
