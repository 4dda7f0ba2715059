from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection

from scpareto.pareto import non_dominated

from ._labels import place_labels
from ._style import CHOSEN, COLUMN_WIDTH, FAINT, INK, LABEL_SIZE, MUTED, NOTE_SIZE, new_axes, point_colors, settle, tidy
from ._table import (
    FrontLike,
    as_table,
    default_plane,
    interval,
    is_higher_better,
    markers_of,
    names_of_extremes,
    require,
    title_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

_SIZE = 26.0


@dataclass(frozen=True)
class _Plane:
    """A front seen in two of its columns."""

    table: pd.DataFrame
    """Points with both values, one per row, ordered by number."""
    columns: tuple[str, str]
    higher: tuple[bool, bool]
    """Whether larger is better, for each axis."""
    xy: np.ndarray
    """Values, shape `(n, 2)`."""
    colors: np.ndarray
    """RGBA, shape `(n, 4)`."""
    culled: np.ndarray
    """Which points no other point dominates in this plane, shape `(n,)`."""

    @property
    def staircase(self) -> np.ndarray:
        """Border of the dominated region through the non-dominated points, shape `(m, 2)`."""
        corners = self.xy[self.culled]
        corners = corners[np.argsort(corners[:, 0], kind="stable")]
        # between two points the border keeps the y of the one with the better x
        before = corners[:-1, 1] if not self.higher[0] else corners[1:, 1]
        turns = np.column_stack([corners[1:, 0] if not self.higher[0] else corners[:-1, 0], before])
        return np.vstack([corners[:1], *(np.vstack([t, c]) for t, c in zip(turns, corners[1:], strict=True))])


def _plane(front: FrontLike | pd.DataFrame, x: str | None, y: str | None, higher_is_better: Collection[str]) -> _Plane:
    table = as_table(front)
    default_x, default_y = default_plane(table)
    columns = (x or default_x, y or default_y)
    require(table, [*columns, *higher_is_better])
    colors = point_colors(table["point"].to_numpy())
    xy = table[list(columns)].to_numpy(dtype=float)
    kept = np.isfinite(xy).all(axis=1)
    if not kept.any():
        raise ValueError(f"No point has both {columns[0]!r} and {columns[1]!r}.")
    table, xy, colors = table[kept].reset_index(drop=True), xy[kept], colors[kept]
    higher = (
        is_higher_better(table, columns[0], higher_is_better=higher_is_better),
        is_higher_better(table, columns[1], higher_is_better=higher_is_better),
    )
    culled = np.asarray(non_dominated(xy * np.where(higher, -1.0, 1.0)), dtype=bool)
    return _Plane(table, columns, higher, xy, colors, culled)


def front(
    front: FrontLike | pd.DataFrame,
    *,
    x: str | None = None,
    y: str | None = None,
    selected: int | None = None,
    intervals: bool = True,
    label_points: bool = True,
    higher_is_better: Collection[str] = (),
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a front in the plane of two of its columns.

    Points are coloured and numbered along the front. The non-dominated set is recomputed in the plane that is drawn:
    non-dominated points are filled and joined by the border of the region that they dominate, dominated points are
    hollow. The extremes have their own markers and names.

    Parameters
    ----------
    front
        A :class:`~scpareto.pareto.Front`, or its table with one row for each of `n` points.
    x, y
        Any two columns that measure a point. By default `leakage_mean` (else the first nuisance objective on test
        cells) and `generative_loss_test`.
    selected
        Number of the point to ring.
    intervals
        Whether to draw error bars where `<column>_low` and `<column>_high` exist.
    label_points
        Whether to write numbers and the names of the extremes.
    higher_is_better
        Columns of which larger values are better, beside those known (retention and the scores of scib-metrics).
    legend
        Whether to explain the markers.
    ax
        Where to draw; by default a new figure of one journal column.

    Returns
    -------
    The axes. Artists carry the ids `"non-dominated"`, `"dominated"` and `"selected"`.

    Raises
    ------
    TypeError
        If `front` is no front.
    ValueError
        If a column cannot be drawn, no point has both values, or `selected` is not a point.

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
    """
    plane = _plane(front, x, y, higher_is_better)
    _require_point(plane, selected)
    everything = np.full(len(plane.xy), True)
    if ax is None:
        ax = new_axes(figsize=(COLUMN_WIDTH, 2.9))[1][0, 0]
        tidy(ax)
    _draw_axes(ax, plane)
    _draw_border(ax, plane)
    if intervals:
        _draw_intervals(ax, plane, everything)
    _draw_points(ax, plane, plane.culled, filled=True)
    _draw_points(ax, plane, ~plane.culled, filled=False)
    _draw_selected(ax, plane, selected)
    if label_points:
        settle(ax)
        _draw_labels(ax, plane, everything, selected, intervals=intervals, border=True)
    if legend:
        _draw_legend(ax, selected=selected is not None, dominated=not plane.culled.all())
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
    front, x, y, selected, intervals, label_points, higher_is_better
        As in :func:`front`.
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
    """
    plane = _plane(front, x, y, higher_is_better)
    _require_point(plane, selected)
    if axes is None:
        panels = new_axes(1, 2, figsize=(2 * COLUMN_WIDTH, 2.9), share=True)[1][0]
        for ax in panels:
            tidy(ax)
    else:
        panels = np.asarray(axes, dtype=object).ravel()
        if len(panels) != 2:
            raise ValueError(f"front_panels draws in 2 axes, got {len(panels)}.")
    everything = np.full(len(plane.xy), True)
    shown = (everything, plane.culled)
    for ax, mask in zip(panels, shown, strict=True):
        if mask is plane.culled:
            _draw_border(ax, plane)
        if intervals:
            _draw_intervals(ax, plane, mask)
        _draw_points(ax, plane, mask, filled=True)
        _draw_selected(ax, plane, selected, mask=mask)
        _draw_axes(ax, plane)
    _same_limits(panels)
    panels[1].set_ylabel("")
    names = (f"all {len(plane.xy)} points", f"{int(plane.culled.sum())} non-dominated")
    for ax, name in zip(panels, names, strict=True):
        ax.set_title(name, fontsize=LABEL_SIZE, loc="left")
    if label_points:
        settle(panels[0])
        for ax, mask in zip(panels, shown, strict=True):
            _draw_labels(ax, plane, mask, selected, intervals=intervals, border=mask is plane.culled)
    return panels


def _require_point(plane: _Plane, selected: int | None) -> None:
    points = plane.table["point"].tolist()
    if selected is not None and selected not in points:
        raise ValueError(f"selected={selected!r} is not a point of this front in this plane; points: {points}.")


def _draw_axes(ax: Axes, plane: _Plane) -> None:
    words = [
        title_of(column) + ("\nhigher is better" if higher else "")
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


def _draw_border(ax: Axes, plane: _Plane) -> None:
    line = ax.plot(*plane.staircase.T, color=MUTED, lw=0.8, zorder=1.5, solid_joinstyle="miter")[0]
    line.set_gid("border")


def _draw_intervals(ax: Axes, plane: _Plane, mask: np.ndarray) -> None:
    for i, column in enumerate(plane.columns):
        ends = interval(plane.table, column)
        if ends is None:
            continue
        # shape (n, 2 ends, 2 coordinates); not errorbar, which refuses an interval that leaves out its point
        bars = np.repeat(plane.xy[:, None, :], 2, axis=1)
        bars[:, :, i] = ends
        lines = LineCollection(list(bars[mask]), colors=plane.colors[mask], alpha=0.45, lw=1.1, zorder=1.8)
        lines.set_gid("interval")
        ax.add_collection(lines)


def _draw_points(ax: Axes, plane: _Plane, mask: np.ndarray, *, filled: bool) -> None:
    markers = markers_of(plane.table)
    for marker in sorted(set(markers[mask])):
        rows = mask & (markers == marker)
        color = plane.colors[rows]
        dots = ax.scatter(
            plane.xy[rows, 0],
            plane.xy[rows, 1],
            marker=marker,
            s=_SIZE,
            facecolors=color if filled else "white",
            edgecolors=INK if filled else color,
            linewidths=0.5 if filled else 1.0,
            alpha=None if filled else 0.75,
            zorder=3.0 if filled else 2.5,
        )
        dots.set_gid("non-dominated" if filled else "dominated")


def _draw_selected(ax: Axes, plane: _Plane, selected: int | None, *, mask: np.ndarray | None = None) -> None:
    rows = (plane.table["point"] == selected).to_numpy()
    if mask is not None:
        rows &= mask
    if selected is not None and rows.any():
        ring = ax.scatter(
            plane.xy[rows, 0],
            plane.xy[rows, 1],
            s=4.2 * _SIZE,
            facecolors="none",
            edgecolors=CHOSEN,
            linewidths=1.4,
            zorder=3.5,
        )
        ring.set_gid("selected")


def _draw_labels(
    ax: Axes, plane: _Plane, mask: np.ndarray, selected: int | None, *, intervals: bool, border: bool
) -> None:
    names = names_of_extremes(plane.table)
    texts = [f"{p} {names[p]}" if p in names else f"{p}" for p in plane.table["point"][mask].astype(int)]
    segments = []
    if border:
        stairs = plane.staircase
        segments.append(np.hstack([stairs[:-1], stairs[1:]]))
    if intervals:
        for i, column in enumerate(plane.columns):
            ends = interval(plane.table, column)
            if ends is not None:
                bars = np.repeat(plane.xy, 2, axis=0).reshape(-1, 2, 2)
                bars[:, :, i] = ends
                segments.append(bars[mask].reshape(-1, 4))
    drawn = np.vstack(segments) if segments else np.empty((0, 4))
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    along = np.linspace(0, 1, 25)[:, None, None]
    obstacles = (drawn[:, :2] * (1 - along) + drawn[:, 2:] * along).reshape(-1, 2)
    radius = np.where(plane.table["point"][mask] == selected, 6.0, 3.5)
    place_labels(
        ax, plane.xy[mask], texts, obstacles=obstacles, marker_radius=radius, fontsize=NOTE_SIZE, color=INK, zorder=4
    )


def _draw_legend(ax: Axes, *, selected: bool, dominated: bool) -> None:
    def entry(label: str, **style: object) -> None:
        ax.scatter([], [], s=_SIZE, label=label, **style)  # type: ignore[arg-type]

    entry("non-dominated", facecolors=MUTED, edgecolors=INK, linewidths=0.5)
    if dominated:
        entry("dominated", facecolors="white", edgecolors=MUTED, linewidths=1.0)
    if selected:
        entry("chosen", facecolors="none", edgecolors=CHOSEN, linewidths=1.4)
    ax.legend(fontsize=NOTE_SIZE, frameon=True, framealpha=0.9, edgecolor=FAINT, handletextpad=0.2, borderpad=0.35)
