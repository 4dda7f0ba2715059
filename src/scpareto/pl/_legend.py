"""Entries of the legend of a front, and the legend itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D

from scpareto.pl._alarm import cross_entry
from scpareto.pl._palette import CHOSEN
from scpareto.pl._style import FAINT, INK, MUTED, NOTE_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from scpareto.pl._plane import Plane

_MARKER = 5.1  # diameter, typographic points
_COLUMN, _ROW = 1.1, 0.16  # of a legend below, inches
_HANDLE, _LETTER = 0.42, 0.05  # mark and letter of an entry, inches


def entries_of(
    planes: Sequence[Plane], chosen: Sequence[int | None], *, masks: Sequence[np.ndarray], nondominated: bool = True
) -> list[Artist]:
    """Make what explains the marks of fronts.

    Parameters
    ----------
    planes
        The fronts.
    chosen
        The selected point of each front, or None.
    masks
        Points of each front that are drawn.
    nondominated
        Whether dominated points are hollow.

    Returns
    -------
    Handles with labels: fronts with a name, then markers that occur.
    """
    shown = [set(plane.table["point"][mask]) for plane, mask in zip(planes, masks, strict=True)]
    named = [plane for plane in planes if plane.name is not None]
    entries: list[Artist] = [
        Line2D(
            [],
            [],
            **plane.line,
            lw=0.9,
            marker=plane.markers[0],
            ms=_MARKER,
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
    if any(plane.told.recommended in points for plane, points in zip(planes, shown, strict=True)):
        entries.append(recommended_entry())
    if any(point in points for point, points in zip(chosen, shown, strict=True)):
        entries.append(selected_entry())
    if any((plane.over & mask).any() for plane, mask in zip(planes, masks, strict=True)):
        entries.append(cross_entry())
    return entries


def recommended_entry() -> Line2D:
    """Make what explains the ring of the recommended point."""
    return marker_entry("recommended", mfc="none", mec=CHOSEN, mew=1.4, ms=6.6)


def selected_entry() -> Line2D:
    """Make what explains the frame of the selected point."""
    return marker_entry("selected", marker="s", mfc="none", mec=INK, mew=0.9, ms=7.0)


def draw_legend(ax: Axes, entries: list[Artist], *, place: str = "best") -> None:
    """Explain marks; nothing if there is nothing to explain.

    Parameters
    ----------
    ax
        Where to write.
    entries
        What to explain.
    place
        A place of matplotlib, or `"above"` the axes.
    """
    if not entries:
        return
    look: dict[str, Any] = {"loc": place, "framealpha": 0.9, "edgecolor": FAINT, "borderpad": 0.4}
    if place == "above":
        look = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": len(entries), "frameon": False}
        look |= {"borderpad": 0.2, "borderaxespad": 0.0, "columnspacing": 1.0}
    ax.legend(handles=entries, fontsize=NOTE_SIZE, handletextpad=0.5, labelspacing=0.35, **look)


def draw_legend_above(ax: Axes, entries: list[Artist]) -> None:
    """Explain marks above the axes, in a figure that grows by the rows needed; nothing without entries."""
    figure = ax.get_figure(root=True)
    if not entries or figure is None:
        return
    width, height = figure.get_size_inches()
    longest = max(len(str(entry.get_label())) for entry in entries)
    n_columns = int(np.clip(width / (_HANDLE + _LETTER * longest), 1, len(entries)))
    figure.set_size_inches(width, height + _ROW * -(-len(entries) // n_columns))
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
    """Explain marks below all panels of the figure of `ax`, which grows by the rows needed; nothing without entries."""
    figure = ax.get_figure(root=True)
    if not entries or figure is None:
        return
    width, height = figure.get_size_inches()
    n_columns = min(max(1, int(width / _COLUMN)), len(entries))
    figure.set_size_inches(width, height + _ROW * -(-len(entries) // n_columns))
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
    """Make what explains a marker.

    Parameters
    ----------
    label
        Text.
    **style
        Properties of the line that has the marker; by default a circle of the size of points.

    Returns
    -------
    A handle with a label.
    """
    return Line2D([], [], label=label, **{"ls": "", "marker": "o", "ms": _MARKER, **style})  # type: ignore[arg-type]
