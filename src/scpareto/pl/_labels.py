"""Place labels such that they cover neither points nor each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

_ANGLES = np.deg2rad([45, 135, 225, 315, 0, 90, 180, 270, 22, 67, 112, 157, 202, 247, 292, 337])
_RADII = (5.0, 8.0, 12.0, 17.0, 23.0)  # points


def place_labels(
    ax: Axes,
    xy: np.ndarray,
    texts: Sequence[str],
    *,
    obstacles: np.ndarray | None = None,
    boxes: np.ndarray | None = None,
    marker_radius: float | np.ndarray = 3.5,
    **text_kwargs: Any,
) -> list[Annotation]:
    """Write a text beside each point such that texts cover neither each other nor the points.

    Of several positions around a point the one that covers least is chosen; a thin line joins distant texts with their
    points. Positions are measured in pixels, so limits and layout must be final.

    Parameters
    ----------
    ax
        Axes to write on.
    xy
        Points in data coordinates, shape `(n, 2)`.
    texts
        One text for each point; the longest are placed first.
    obstacles
        Further positions to keep free (line vertices, ends of error bars), shape `(m, 2)`.
    boxes
        Rectangles to keep free (a legend), in pixels as `(left, bottom, right, top)`, shape `(k, 4)`.
    marker_radius
        Radius of the points, in typographic points: one for all, or shape `(n,)`.
    **text_kwargs
        Properties of the texts.

    Returns
    -------
    The texts, in the order given.
    """
    scale = ax.figure.dpi / 72.0
    centres = ax.transData.transform(np.asarray(xy, dtype=float).reshape(-1, 2)) / scale
    radius = np.full(len(centres), marker_radius, dtype=float)
    marks = np.column_stack([centres - radius[:, None], centres + radius[:, None]])
    if obstacles is not None and len(obstacles):
        obstacle_xy = ax.transData.transform(np.asarray(obstacles, dtype=float)) / scale
        marks = np.vstack([marks, np.column_stack([obstacle_xy - 0.8, obstacle_xy + 0.8])])
    frame = np.asarray(ax.get_window_extent().extents) / scale

    occupied = np.empty((0, 4)) if boxes is None else np.asarray(boxes, dtype=float).reshape(-1, 4) / scale
    annotations: dict[int, Annotation] = {}
    for i in sorted(range(len(texts)), key=lambda k: -len(texts[k])):
        probe = ax.text(0, 0, texts[i], **text_kwargs)
        box = probe.get_window_extent()
        probe.remove()
        half = np.array([box.width, box.height]) / (2.0 * scale)
        best, best_cost, best_box = np.zeros(2), np.inf, np.zeros(4)
        for r in _RADII:
            for angle in _ANGLES:
                direction = np.array([np.cos(angle), np.sin(angle)])
                # `r` is the distance from the point to the nearest edge of the text
                offset = direction * (r - 1.0 + radius[i] / 2) + np.clip(direction * 2, -1, 1) * half
                candidate = np.concatenate([centres[i] + offset - half, centres[i] + offset + half])
                outside = (
                    np.maximum(frame[:2] - candidate[:2], 0).sum() + np.maximum(candidate[2:] - frame[2:], 0).sum()
                )
                # a text that is nearer to another point would be read as the label of that point
                to_others = _gap(candidate, np.delete(centres, i, axis=0)) - radius[np.arange(len(radius)) != i]
                to_own = _gap(candidate, centres[i : i + 1])[0] - radius[i]
                misread = np.clip(to_own + 1.0 - to_others, 0, None).sum()
                cost = 8 * _overlap(candidate, occupied) + 2 * _overlap(candidate, marks) + 20 * outside + 0.8 * r
                cost += 3 * misread
                if cost < best_cost - 1e-9:
                    best, best_cost, best_box = offset, cost, candidate
        is_far = np.linalg.norm(best - np.clip(best, -half, half)) > 8 + radius[i]
        leader = {"arrowstyle": "-", "lw": 0.4, "color": "#8A8A8A", "shrinkA": 0, "shrinkB": float(radius[i])}
        annotations[i] = ax.annotate(
            texts[i],
            (float(xy[i, 0]), float(xy[i, 1])),
            xytext=(float(best[0]), float(best[1])),
            textcoords="offset points",
            ha="center",
            va="center",
            arrowprops=leader if is_far else None,
            **text_kwargs,
        )
        occupied = np.vstack([occupied, best_box])
    return [annotations[i] for i in range(len(texts))]


def _gap(box: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the distances of a box to points, in typographic points; 0 inside."""
    outside = np.maximum(np.maximum(box[:2] - points, points - box[2:]), 0)
    return np.asarray(np.hypot(outside[:, 0], outside[:, 1]))


def _overlap(box: np.ndarray, others: np.ndarray) -> float:
    """Return the area that a box shares with others, in square points; boxes are `(left, bottom, right, top)`."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    return float((np.clip(width, 0, None) * np.clip(height, 0, None)).sum())
