"""Plot the judged values along the path of one training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from scpareto.pareto import Front, shares_of
from scpareto.pl._alarm import cross_entry, draw_alarms, find_alarmed
from scpareto.pl._finish import Finish
from scpareto.pl._front_axes import draw_title, widen_limits
from scpareto.pl._labels import place_labels
from scpareto.pl._legend import draw_legend_below, marker_entry, recommended_entry, selected_entry
from scpareto.pl._marks import FRAME, RING, SIZE
from scpareto.pl._recommendation import get_recommendation
from scpareto.pl._sources import find_front
from scpareto.pl._style import (
    COLUMN_WIDTH,
    FAINT,
    INK,
    LABEL_SIZE,
    MUTED,
    NOTE_SIZE,
    make_axes,
    point_colors,
    tidy,
    update_layout,
)
from scpareto.pl._table import as_table, choose_markers, get_interval, get_objectives, is_higher_better
from scpareto.pl._titles import LEFT_SUFFIX, make_axis_label

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from scpareto.pl._sources import FrontSource

_HEIGHTS = (2.3, 1.5)  # inches
_MAX_CHARACTERS = 34  # characters along the higher axis
_MAX_CHARACTERS_LOWER = 22
_TICKS = (0.0, 0.02, 0.1, 0.25, 0.5, 1.0)
_FIT_SUFFIX = "_fit"


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
    """Draw the judged values along the path of one training, and the points of the front on it.

    The upper panel shows the batch left, the lower one the structure kept. Dots are judged values, the band their 95 %
    intervals. The line is the decreasing fit by which ``batch_left=`` finds a place. The fit ends at the smallest
    value; the judged values beyond it are dotted, and show whether leakage increases again. Beyond the last point the
    background is grey: these places are reached by ``preference=`` only. Points whose over-correction alarm rings are
    crossed out. The horizontal axis is stretched near the uncorrected extreme, where places are dense.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front` of one training for all preferences (``method="conditional"``), judged; a
        model with such a front; or an AnnData that stores one.
    key
        Key of the front in an AnnData that stores several, a name in ``adata.uns["scpareto"]``.
    selected
        Number of the point to frame; by default the selected point of the model, unless it is the recommended one.
    legend
        Whether to draw a legend below the panels of a new figure.
    title
        Whether to write the recommendation of the front as a title.
    axes
        Two axes to draw in; by default a new figure of one journal column.
    show
        Whether to show the figure and return None; by default that is left to the notebook.
    save
        File to write the figure to, such as ``"curve.pdf"``; its folder is created.
    return_fig
        Whether to return the figure instead of the axes.

    Returns
    -------
    Array of two axes, shape ``(2,)``. Artists carry the ids ``"judged"``, ``"interval"``, ``"fit"``, ``"beyond"``,
    ``"points"``, ``"alarm"``, ``"recommended"`` and ``"selected"``.

    Raises
    ------
    TypeError
        If ``front`` is not a front, or is a table.
    KeyError
        If an AnnData stores no front.
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
    front_object = find_front(front, key=key)
    if not isinstance(front_object, Front):
        raise TypeError(f"front must be a Front with a judged path, got {type(front_object).__name__}.")
    judged, points, recommendation = front_object.curve(), as_table(front_object), get_recommendation(front_object)
    if selected is not None and selected not in points["point"].tolist():
        raise ValueError(f"selected={selected!r} is not a point of this front; points: {points['point'].tolist()}.")
    selected = recommendation.selected if selected is None else selected
    columns = _choose_columns(judged)
    if axes is None:
        size = (COLUMN_WIDTH, sum(_HEIGHTS))
        panels = make_axes(2, 1, figsize=size, heights=_HEIGHTS)[1][:, 0]
        for ax in panels:
            tidy(ax)
        panels[0].tick_params(labelbottom=False)
    else:
        panels = np.asarray(axes, dtype=object).ravel()
        if len(panels) != 2:
            raise ValueError(f"curve draws in 2 axes, got {len(panels)}.")
    positions = _get_positions(points)
    last_position = float(np.nanmax(positions)) if np.isfinite(positions).any() else 1.0
    marked_points = {"recommended": recommendation.recommended, "selected": selected}
    for ax, column, longest in zip(panels, columns, (_MAX_CHARACTERS, _MAX_CHARACTERS_LOWER), strict=True):
        ax.set_xscale("function", functions=(_stretch, np.square))
        _draw_curve(ax, judged, column)
        if last_position < 1:
            ax.axvspan(last_position, 1.0, color=FAINT, alpha=0.35, lw=0, zorder=0.3).set_gid("beyond")
        _draw_points(ax, points, positions, column, marked_points)
        ax.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
        ax.set_xlim(0.0, 1.0)
        ax.margins(y=0.14)
        widen_limits(ax, "y")
        label = make_axis_label(column, higher=is_higher_better(points, column), max_characters=longest)
        ax.set_ylabel(label, fontsize=LABEL_SIZE)
    panels[1].set_xlabel("place along the path", fontsize=LABEL_SIZE)
    if title:
        draw_title(panels[0], recommendation.sentence)
    if legend and axes is None:
        draw_legend_below(
            panels[0],
            _entries(judged, columns[0], last_position, marked_points, rings=bool(find_alarmed(points).any())),
        )
    _write_numbers(panels[0], points, positions, columns[0], marked_points)
    return finish(panels)


def _stretch(place: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(place, 0.0))


def _choose_columns(judged: pd.DataFrame) -> tuple[str, str]:
    left = [str(c) for c in judged.columns if str(c).endswith(LEFT_SUFFIX)]
    if not left or "structure_kept" not in judged:
        raise ValueError(f"The curve of the front has no judged values; its columns: {', '.join(judged.columns)}.")
    return left[0], "structure_kept"


def _get_positions(points: pd.DataFrame) -> np.ndarray:
    """Return the position of each point along the path, from 0 to 1, shape `(n,)`; NaN without a preference."""
    columns = [f"preference_{name}" for name in get_objectives(points)]
    preferences = points[columns].to_numpy(dtype=float)
    return np.array([1 - shares_of(row)[0] if np.isfinite(row).all() else np.nan for row in preferences])


def _draw_curve(ax: Axes, judged: pd.DataFrame, column: str) -> None:
    position, values = judged["place"].to_numpy(dtype=float), judged[column].to_numpy(dtype=float)
    ends = get_interval(judged, column)
    if ends is not None:
        ax.fill_between(position, *ends.T, color=MUTED, alpha=0.25, lw=0, zorder=1).set_gid("interval")
    dots = ax.scatter(position, values, s=9, c=MUTED, lw=0, zorder=2, clip_on=False)
    dots.set_gid("judged")
    fit, end = values, len(values)
    if f"{column}{_FIT_SUFFIX}" in judged:
        fit, end = judged[f"{column}{_FIT_SUFFIX}"].to_numpy(dtype=float), int(np.nanargmin(values)) + 1
        ax.plot(position[end - 1 :], values[end - 1 :], color=MUTED, lw=1.0, ls=":", zorder=1.8)[0].set_gid("rest")
    ax.plot(position[:end], fit[:end], color=INK, lw=1.0, zorder=1.9)[0].set_gid("fit")


def _draw_points(
    ax: Axes, points: pd.DataFrame, positions: np.ndarray, column: str, marked_points: dict[str, int | None]
) -> None:
    if column not in points:
        return
    values, colors, markers = (
        points[column].to_numpy(dtype=float),
        point_colors(points["point"].to_numpy()),
        choose_markers(points),
    )
    for marker in sorted(set(markers)):
        rows = markers == marker
        style = {"marker": marker, "edgecolors": INK, "linewidths": 0.5, "zorder": 3.0, "clip_on": False}
        ax.scatter(positions[rows], values[rows], s=SIZE, c=colors[rows], **style).set_gid("points")
    draw_alarms(ax, np.column_stack([positions, values])[find_alarmed(points)])
    for gid, size, style in (("recommended", 4.2, RING), ("selected", 6.0, FRAME)):
        rows = (points["point"] == marked_points[gid]).to_numpy()
        if rows.any():
            ax.scatter(positions[rows], values[rows], s=size * SIZE, zorder=3.5, clip_on=False, **style).set_gid(gid)


def _entries(
    judged: pd.DataFrame, column: str, last_position: float, marked_points: dict[str, int | None], *, rings: bool
) -> list[Artist]:
    entries: list[Artist] = [marker_entry("judged", mfc=MUTED, mew=0, ms=3.0)]
    if get_interval(judged, column) is not None:
        entries.append(Patch(facecolor=MUTED, alpha=0.25, lw=0, label="95 % interval"))
    if f"{column}{_FIT_SUFFIX}" in judged:
        entries.append(Line2D([], [], color=INK, lw=1.0, label="falling fit"))
    entries.append(marker_entry("point of the front", mfc="white", mec=INK, mew=0.5))
    if marked_points["recommended"] is not None:
        entries.append(recommended_entry())
    if marked_points["selected"] is not None:
        entries.append(selected_entry())
    if rings:
        entries.append(cross_entry())
    if last_position < 1:
        entries.append(Patch(facecolor=FAINT, alpha=0.35, lw=0, label="not offered"))
    return entries


def _write_numbers(
    ax: Axes, points: pd.DataFrame, positions: np.ndarray, column: str, marked_points: dict[str, int | None]
) -> None:
    if column not in points:
        return
    values = points[column].to_numpy(dtype=float)
    has_values = np.isfinite(positions) & np.isfinite(values)
    if not has_values.any():
        return
    update_layout(ax)
    texts = [str(number) for number in points["point"][has_values]]
    xy = np.column_stack([positions, values])[has_values]
    radius = np.where(points["point"][has_values].isin(list(marked_points.values())), 7.0, 3.5)
    place_labels(ax, xy, texts, marker_radius=radius, fontsize=NOTE_SIZE, color=INK, zorder=4)
