"""Write the numbers and names of points beside their markers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pl._alarm import CROSS
from scpareto.pl._labels import place_labels
from scpareto.pl._marks import get_error_bars
from scpareto.pl._style import INK, NOTE_SIZE, update_layout
from scpareto.pl._table import name_extremes

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
    selected: Sequence[int | None],
    others: Others,
    *,
    masks: Sequence[np.ndarray],
    points: bool,
    intervals: bool,
    lines: bool,
) -> None:
    """Label all points of one front, or extremes and selected points of several, and other methods.

    Parameters
    ----------
    ax
        Axes with the finished plot.
    planes
        The fronts.
    selected
        The selected point of each front, or None.
    others
        Points of other methods.
    masks
        Points of each front that are drawn.
    points
        Whether to label the points of fronts.
    intervals, lines
        Whether intervals and lines are drawn, which labels must not cover.
    """
    if not points and not others.names:
        return
    update_layout(ax)
    written_labels: list[tuple[str, np.ndarray]] = []
    free_boxes: list[np.ndarray] = []
    segments = [np.empty((0, 4))]
    xy, texts, radius = [others.xy], list(others.names), [np.full(len(others.xy), 4.0)]
    if intervals:
        segments += [bars.reshape(-1, 4) for bars in others.bars]
    for plane, point, mask in zip(planes, selected, masks, strict=True):
        labels = _make_labels(plane, point) if points else {}
        if plane.name is not None:
            labels = _skip_repeated(ax, plane, labels, written_labels)
        is_labelled = mask & plane.table["point"].isin(list(labels)).to_numpy()
        texts += [labels[p] for p in plane.table["point"][is_labelled].tolist()]
        xy.append(plane.xy[is_labelled])
        numbers = plane.table["point"][is_labelled].to_numpy()
        radii = np.where(plane.rings[is_labelled], CROSS / 2, _MARKER_RADIUS)
        radii = np.where(numbers == plane.recommendation.recommended, _RING_RADIUS, radii)
        radius.append(np.where(numbers == point, _FRAME_RADIUS, radii))
        free_boxes.append(_make_boxes(ax, plane.xy[mask & ~is_labelled], _MARKER_RADIUS))
        if lines:
            line = plane.line_vertices
            segments.append(np.hstack([line[:-1], line[1:]]))
        if intervals:
            segments += [bars[mask].reshape(-1, 4) for bars in get_error_bars(plane.table, plane.columns, plane.xy)]
    legend = ax.get_legend()
    if legend is not None:
        free_boxes.append(np.array([legend.get_window_extent().extents]))
    place_labels(
        ax,
        np.vstack(xy),
        texts,
        obstacles=_sample_segments(np.vstack(segments)),
        boxes=np.vstack(free_boxes),
        marker_radius=np.concatenate(radius),
        fontsize=NOTE_SIZE,
        color=INK,
        zorder=4,
    )


def _make_labels(plane: Plane, selected: int | None) -> dict[int, str]:
    """Return the label of each point; for one of several fronts only of extremes and selected points."""
    points, values = [int(point) for point in plane.table["point"]], plane.recommendation.values
    names = name_extremes(plane.table)
    labels = {point: f"{values.get(point, point)} {names.get(point, '')}".rstrip() for point in points}
    if plane.name is None:
        return labels
    # a sweep has no named extremes; its first and last point show the range of its option
    sweep_points = {points[0], points[-1], plane.recommendation.recommended} if values else set()
    extremes = {point: names[point] for point in points if point in names}
    return extremes | {point: labels[point] for point in points if point in sweep_points or point == selected}


def _skip_repeated(
    ax: Axes, plane: Plane, labels: dict[int, str], written_labels: list[tuple[str, np.ndarray]]
) -> dict[int, str]:
    """Leave out labels that are already written near a point, and add the others to `written_labels`."""
    places = dict(zip(plane.table["point"].tolist(), ax.transData.transform(plane.xy), strict=True))
    max_distance = _CLOSE * ax.figure.dpi / 72.0
    new_labels = {}
    for point, text in labels.items():
        if all(
            text != other or np.linalg.norm(places[point] - place) > max_distance for other, place in written_labels
        ):
            new_labels[point] = text
            written_labels.append((text, places[point]))
    return new_labels


def _make_boxes(ax: Axes, xy: np.ndarray, radius: float) -> np.ndarray:
    """Return boxes around points in pixels, `(left, bottom, right, top)`, shape `(m, 4)`; radius in points."""
    centres = ax.transData.transform(xy)
    radius = radius * ax.figure.dpi / 72.0
    return np.hstack([centres - radius, centres + radius])


def _sample_segments(segments: np.ndarray) -> np.ndarray:
    """Return positions along segments `(x0, y0, x1, y1)`, shape `(m, 4)`, in small steps, shape `(25 m, 2)`."""
    segments = segments[np.isfinite(segments).all(axis=1)]
    share = np.linspace(0, 1, 25)[:, None, None]
    return (segments[:, :2] * (1 - share) + segments[:, 2:] * share).reshape(-1, 2)
