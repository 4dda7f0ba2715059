"""Entries of the legend of a front, and the legend itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from scpareto.pl._alarm import cross_entry
from scpareto.pl._palette import HIGHLIGHT
from scpareto.pl._style import FAINT, INK, MUTED, NOTE_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from scpareto.pl._plane import Plane

_MARKER_SIZE = 5.1  # diameter, typographic points
_COLUMN_WIDTH, _ROW_HEIGHT = 1.1, 0.16  # of a legend below, inches
_HANDLE_WIDTH, _LETTER_WIDTH = 0.42, 0.05  # mark and letter of an entry, inches


def make_entries(
    planes: Sequence[Plane], selected: Sequence[int | None], *, masks: Sequence[np.ndarray], nondominated: bool = True
) -> list[Artist]:
    """Make the legend entries of fronts.

    Parameters
    ----------
    planes
        The fronts.
    selected
        The selected point of each front, or None.
    masks
        Points of each front that are drawn.
    nondominated
        Whether dominated points are hollow.

    Returns
    -------
    Handles with labels: fronts with a name, then markers that occur.
    """
    points_shown = [set(plane.table["point"][mask]) for plane, mask in zip(planes, masks, strict=True)]
    named = [plane for plane in planes if plane.name is not None]
    entries: list[Artist] = [
        Line2D(
            [],
            [],
            **plane.line,
            lw=0.9,
            marker=plane.markers[0],
            ms=_MARKER_SIZE,
            mfc=plane.colors[0],
            mec=INK,
            mew=0.5,
            label=plane.name,
        )
        for plane in named
    ]
    if nondominated and not named:
        entries.append(marker_entry("non-dominated", mfc=MUTED, mec=INK, mew=0.5))
    if nondominated and not all(plane.nondominated.all() for plane in planes):
        entries.append(marker_entry("dominated", mfc="white", mec=MUTED, mew=1.0))
    if any(plane.recommendation.recommended in points for plane, points in zip(planes, points_shown, strict=True)):
        entries.append(recommended_entry())
    if any(point in points for point, points in zip(selected, points_shown, strict=True)):
        entries.append(selected_entry())
    if any((plane.rings & mask).any() for plane, mask in zip(planes, masks, strict=True)):
        entries.append(cross_entry())
    return entries


def recommended_entry() -> Line2D:
    """Make the legend entry of the recommended point's ring."""
    return marker_entry("recommended", mfc="none", mec=HIGHLIGHT, mew=1.4, ms=6.6)


def selected_entry() -> Line2D:
    """Make the legend entry of the selected point's frame."""
    return marker_entry("selected", marker="s", mfc="none", mec=INK, mew=0.9, ms=7.0)


def draw_legend(ax: Axes, entries: list[Artist], *, place: str = "best") -> None:
    """Draw a legend; nothing without entries.

    Parameters
    ----------
    ax
        Axes to draw on.
    entries
        Entries of the legend.
    place
        A legend location of matplotlib, or `"above"` the axes.
    """
    if not entries:
        return
    style: dict[str, Any] = {"loc": place, "framealpha": 0.9, "edgecolor": FAINT, "borderpad": 0.4}
    if place == "above":
        style = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": len(entries), "frameon": False}
        style |= {"borderpad": 0.2, "borderaxespad": 0.0, "columnspacing": 1.0}
    ax.legend(handles=entries, fontsize=NOTE_SIZE, handletextpad=0.5, labelspacing=0.35, **style)


def draw_legend_above(ax: Axes, entries: list[Artist]) -> None:
    """Draw a legend above the axes, and enlarge the figure by its rows; nothing without entries."""
    figure = ax.get_figure(root=True)
    if not entries or figure is None:
        return
    width, height = figure.get_size_inches()
    max_characters = max(len(str(entry.get_label())) for entry in entries)
    n_columns = int(np.clip(width / (_HANDLE_WIDTH + _LETTER_WIDTH * max_characters), 1, len(entries)))
    figure.set_size_inches(width, height + _ROW_HEIGHT * -(-len(entries) // n_columns))
    ax.legend(
        handles=entries,
        loc="lower left",
        bbox_to_anchor=(0, 1.01),
        ncols=n_columns,
        fontsize=NOTE_SIZE,
        frameon=False,
        handletextpad=0.5,
        labelspacing=0.35,
        columnspacing=1.0,
        borderpad=0.2,
        borderaxespad=0.0,
    )


def draw_legend_below(ax: Axes, entries: list[Artist]) -> None:
    """Draw a legend below all panels, and enlarge the figure of `ax` by its rows; nothing without entries."""
    figure = ax.get_figure(root=True)
    if not entries or figure is None:
        return
    width, height = figure.get_size_inches()
    n_columns = min(max(1, int(width / _COLUMN_WIDTH)), len(entries))
    figure.set_size_inches(width, height + _ROW_HEIGHT * -(-len(entries) // n_columns))
    figure.legend(
        handles=entries,
        loc="outside lower center",
        ncols=n_columns,
        fontsize=NOTE_SIZE,
        frameon=False,
        handletextpad=0.4,
        columnspacing=1.2,
        borderpad=0.1,
    )


def marker_entry(label: str, **style: object) -> Line2D:
    """Make the legend entry of a marker.

    Parameters
    ----------
    label
        Text.
    **style
        Properties of the line with the marker; by default a circle of the size of points.

    Returns
    -------
    The entry.
    """
    return Line2D([], [], label=label, **{"ls": "", "marker": "o", "ms": _MARKER_SIZE, **style})  # type: ignore[arg-type]
