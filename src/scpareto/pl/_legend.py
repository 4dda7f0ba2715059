from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D

from ._alarm import alarm_entry
from ._style import CHOSEN, FAINT, INK, MUTED, NOTE_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from ._plane import Plane

_MARKER = 5.1  # diameter, typographic points


def entries_of(planes: Sequence[Plane], *, chosen: bool, culled: bool = True) -> list[Artist]:
    """Make what explains the marks of fronts.

    Parameters
    ----------
    planes
        The fronts.
    chosen
        Whether a point is ringed.
    culled
        Whether dominated points are hollow.

    Returns
    -------
    Handles with labels: fronts with a name, markers that occur, the chosen point, the zone of the alarm.
    """
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
    if culled and not named:
        entries.append(marker_entry("non-dominated", mfc=MUTED, mec=INK, mew=0.5))
    if culled and not all(plane.culled.all() for plane in planes):
        entries.append(marker_entry("dominated", mfc="white", mec=MUTED, mew=1.0))
    if chosen:
        entries.append(chosen_entry())
    if any(plane.over.any() for plane in planes):
        entries.append(alarm_entry(INK if named else None))
    return entries


def chosen_entry() -> Line2D:
    """Make what explains the ring of the chosen point."""
    return marker_entry("chosen", mfc="none", mec=CHOSEN, mew=1.4, ms=7.0)


def draw_legend(ax: Axes, entries: list[Artist], *, above: bool = False) -> None:
    """Explain marks where they cover least, or above the axes, or nothing if there is nothing to explain."""
    if not entries:
        return
    place: dict[str, Any] = {"frameon": True, "framealpha": 0.9, "edgecolor": FAINT, "borderpad": 0.4}
    if above:
        place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": len(entries), "frameon": False}
        place |= {"borderpad": 0.2, "borderaxespad": 0.0, "columnspacing": 1.0}
    ax.legend(handles=entries, fontsize=NOTE_SIZE, handletextpad=0.5, labelspacing=0.35, **place)


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
