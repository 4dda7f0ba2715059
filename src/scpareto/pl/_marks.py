"""Draw the points of a front, their intervals and the line that joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import LineCollection

from scpareto.pl._alarm import draw_alarms
from scpareto.pl._palette import HIGHLIGHT
from scpareto.pl._style import INK
from scpareto.pl._table import get_interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from scpareto.pl._plane import Plane

#: area of a marker, square typographic points
SIZE = 26.0
RING: dict[str, Any] = {"facecolors": "none", "edgecolors": HIGHLIGHT, "linewidths": 1.4}
"""Style of the ring around the recommended point."""
FRAME: dict[str, Any] = {"marker": "s", "facecolors": "none", "edgecolors": INK, "linewidths": 0.9}
"""Style of the frame around the selected point; larger than the ring, if both mark the same point."""


def draw_line(ax: Axes, plane: Plane) -> None:
    """Draw the line of a front through its points in order, or along the border of the dominated region."""
    line = ax.plot(*plane.line_vertices.T, lw=0.8, zorder=1.5, solid_joinstyle="miter", **plane.line)[0]
    line.set_gid("course" if plane.judged else "border")


def get_error_bars(table: pd.DataFrame, columns: tuple[str, str], xy: np.ndarray) -> list[np.ndarray]:
    """Read the error bars of points in a plane.

    Parameters
    ----------
    table
        Points, one per row.
    columns
        The axes.
    xy
        Their values, shape `(n, 2)`.

    Returns
    -------
    For each axis with measured intervals the two ends of each bar, shape `(n, 2 ends, 2 coordinates)`.
    """
    bars = []
    for i, column in enumerate(columns):
        ends = get_interval(table, column)
        if ends is not None:
            # not by errorbar, which refuses intervals that do not include their point
            bars.append(np.repeat(xy[:, None, :], 2, axis=1))
            bars[-1][:, :, i] = ends
    return bars


def draw_intervals(ax: Axes, bars: list[np.ndarray], colors: np.ndarray) -> None:
    """Draw error bars.

    Parameters
    ----------
    ax
        Where to draw.
    bars
        From :func:`interval_ends`, each of shape `(n, 2, 2)`.
    colors
        RGBA, shape `(n, 4)`.
    """
    for ends in bars:
        lines = LineCollection(list(ends), colors=colors, alpha=0.45, lw=1.1, zorder=1.8)
        lines.set_gid("interval")
        ax.add_collection(lines)


def draw_points(ax: Axes, plane: Plane, mask: np.ndarray, *, filled: bool) -> None:
    """Draw the points of a mask, filled or hollow."""
    for marker in sorted(set(plane.markers[mask])):
        rows = mask & (plane.markers == marker)
        color = plane.colors[rows]
        dots = ax.scatter(
            plane.xy[rows, 0],
            plane.xy[rows, 1],
            marker=marker,
            s=SIZE,
            facecolors=color if filled else "white",
            edgecolors=INK if filled else color,
            linewidths=0.5 if filled else 1.0,
            alpha=None if filled else 0.75,
            zorder=3.0 if filled else 2.5,
        )
        dots.set_gid("non-dominated" if filled else "dominated")


def draw_special(ax: Axes, plane: Plane, selected: int | None, mask: np.ndarray) -> None:
    """Cross out points whose alarm rings, ring the recommended point and frame the selected one.

    Parameters
    ----------
    ax
        Where to draw.
    plane
        The front.
    selected
        Number of the selected point, or None.
    mask
        Points that are drawn, shape `(n,)`.
    """
    draw_alarms(ax, plane.xy[plane.rings & mask])
    for gid, number, size, style in (
        ("recommended", plane.recommendation.recommended, 4.2, RING),
        ("selected", selected, 6.0, FRAME),
    ):
        rows = (plane.table["point"] == number).to_numpy() & mask
        if rows.any():
            ax.scatter(plane.xy[rows, 0], plane.xy[rows, 1], s=size * SIZE, zorder=3.5, **style).set_gid(gid)
