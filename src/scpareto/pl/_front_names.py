"""Write the numbers of points, and what is said of them, beside their marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pl._alarm import CROSS
from scpareto.pl._labels import place_labels
from scpareto.pl._marks import interval_ends
from scpareto.pl._style import INK, NOTE_SIZE, settle
from scpareto.pl._table import names_of_extremes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from scpareto.pl._others import Others
    from scpareto.pl._plane import Plane

# typographic points
_MARKER_RADIUS, _RING_RADIUS, _FRAME_RADIUS = 3.5, 6.0, 7.0
_CLOSE = 18.0


def write_names(
    ax: Axes,
    planes: Sequence[Plane],
    chosen: Sequence[int | None],
    others: Others,
    *,
    masks: Sequence[np.ndarray],
    points: bool,
    intervals: bool,
    course: bool,
) -> None:
    """Name points beside their marks: of one front all, of several those that stand out; and other methods.

    Parameters
    ----------
    ax
        Where to write, with everything else drawn.
    planes
        The fronts.
    chosen
        The selected point of each front, or None.
    others
        Points of other methods.
    masks
        Points of each front that are drawn.
    points
        Whether to name points of fronts.
    intervals, course
        What else is drawn and must stay free.
    """
    if not points and not others.names:
        return
    settle(ax)
    written: list[tuple[str, np.ndarray]] = []
    free: list[np.ndarray] = []
    drawn = [np.empty((0, 4))]
    xy, texts, radius = [others.xy], list(others.names), [np.full(len(others.xy), 4.0)]
    if intervals:
        drawn += [bars.reshape(-1, 4) for bars in others.bars]
    for plane, point, mask in zip(planes, chosen, masks, strict=True):
        words = _words(plane, point) if points else {}
        if plane.name is not None:
            words = _once(ax, plane, words, written)
        named = mask & plane.table["point"].isin(list(words)).to_numpy()
        texts += [words[p] for p in plane.table["point"][named].tolist()]
        xy.append(plane.xy[named])
        numbers = plane.table["point"][named].to_numpy()
        bare = np.where(plane.over[named], CROSS / 2, _MARKER_RADIUS)
        bare = np.where(numbers == plane.told.recommended, _RING_RADIUS, bare)
        radius.append(np.where(numbers == point, _FRAME_RADIUS, bare))
        free.append(_boxes(ax, plane.xy[mask & ~named], _MARKER_RADIUS))
        if course:
            line = plane.course
            drawn.append(np.hstack([line[:-1], line[1:]]))
        if intervals:
            drawn += [bars[mask].reshape(-1, 4) for bars in interval_ends(plane.table, plane.columns, plane.xy)]
    legend = ax.get_legend()
    if legend is not None:
        free.append(np.array([legend.get_window_extent().extents]))
    place_labels(
        ax,
        np.vstack(xy),
        texts,
        obstacles=_along(np.vstack(drawn)),
        boxes=np.vstack(free),
        marker_radius=np.concatenate(radius),
        fontsize=NOTE_SIZE,
        color=INK,
        zorder=4,
    )


def _words(plane: Plane, chosen: int | None) -> dict[int, str]:
    """Text by point; of one front among several only for the points that stand out."""
    points, values = [int(point) for point in plane.table["point"]], plane.told.values
    names = names_of_extremes(plane.table)
    words = {point: f"{values.get(point, point)} {names.get(point, '')}".rstrip() for point in points}
    if plane.name is None:
        return words
    # a sweep has no extremes with names: its ends say how far its option goes
    ends = {points[0], points[-1], plane.told.recommended} if values else set()
    named = {point: names[point] for point in points if point in names}
    return named | {point: words[point] for point in points if point in ends or point == chosen}


def _once(ax: Axes, plane: Plane, words: dict[int, str], written: list[tuple[str, np.ndarray]]) -> dict[int, str]:
    """Leave out words that already stand beside a point close by, and note the others in `written`."""
    places = dict(zip(plane.table["point"].tolist(), ax.transData.transform(plane.xy), strict=True))
    close = _CLOSE * ax.figure.dpi / 72.0
    fresh = {}
    for point, text in words.items():
        if all(text != other or np.linalg.norm(places[point] - place) > close for other, place in written):
            fresh[point] = text
            written.append((text, places[point]))
    return fresh


def _boxes(ax: Axes, xy: np.ndarray, radius: float) -> np.ndarray:
    """Pixels around places, `(left, bottom, right, top)`, shape `(m, 4)`; the radius is in typographic points."""
    centres = ax.transData.transform(xy)
    radius = radius * ax.figure.dpi / 72.0
    return np.hstack([centres - radius, centres + radius])


def _along(segments: np.ndarray) -> np.ndarray:
    """Walk along segments `(x0, y0, x1, y1)`, shape `(m, 4)`, in small steps, shape `(25 m, 2)`."""
    segments = segments[np.isfinite(segments).all(axis=1)]
    share = np.linspace(0, 1, 25)[:, None, None]
    return (segments[:, :2] * (1 - share) + segments[:, 2:] * share).reshape(-1, 2)
