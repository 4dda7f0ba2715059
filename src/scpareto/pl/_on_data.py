"""Write names of types on their cells, as scanpy's ``legend_loc="on data"`` does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
from matplotlib.patheffects import withStroke

from scpareto.pl._style import INK, NOTE_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LegendLoc = Literal["right margin", "on data"]
RIGHT_MARGIN: LegendLoc = "right margin"
_MAX_ROUNDS = 200
_EXTRA_PIXELS = 0.25
"""Extra shift in pixels, so that the iteration ends."""


def get_legend_locations(legend_loc: LegendLoc | Mapping[str, LegendLoc], names: Iterable[str]) -> dict[str, LegendLoc]:
    """Return the legend location of each colouring.

    Parameters
    ----------
    legend_loc
        One location for all colourings, or one by name.
    names
        Names of the colourings.

    Returns
    -------
    Location by name of the colouring.

    Raises
    ------
    ValueError
        If a location or colouring does not exist.
    """
    valid_names = list(names)
    locations = dict(legend_loc) if isinstance(legend_loc, Mapping) else dict.fromkeys(valid_names, legend_loc)
    if unknown := [name for name in locations if name not in valid_names]:
        raise ValueError(f"legend_loc names {unknown[0]!r}; colourings are {', '.join(map(repr, valid_names))}.")
    if bad := [place for place in locations.values() if place not in get_args(LegendLoc)]:
        valid = ", ".join(map(repr, get_args(LegendLoc)))
        raise ValueError(f"legend_loc={bad[0]!r} is unknown; valid: {valid}.")
    return {name: locations.get(name, RIGHT_MARGIN) for name in valid_names}


def write_on_data(ax: Axes, xy: np.ndarray, values: pd.Series) -> None:
    """Write the name of each category at the median of its cells, outlined in white; nothing for numbers.

    Names that would overlap are moved apart vertically, and all stay inside the axes. Positions are measured in pixels,
    so limits and layout must be final.

    Parameters
    ----------
    ax
        Axes with the cells.
    xy
        Their coordinates, shape ``(n, 2)``.
    values
        Their categories, shape ``(n,)``.
    """
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return
    codes = values.cat.codes.to_numpy()
    texts = []
    for code in np.unique(codes[codes >= 0]):
        x, y = np.median(xy[codes == code], axis=0)
        name = str(values.cat.categories[code])
        text = ax.text(x, y, name, ha="center", va="center", fontsize=NOTE_SIZE, color=INK, zorder=5)
        text.set_path_effects([withStroke(linewidth=1.8, foreground="white")])
        text.set_gid("name")
        text.set_in_layout(False)
        texts.append(text)
    if not texts:
        return
    boxes = np.array([text.get_window_extent().extents for text in texts])
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    positions = centres + _move_apart(
        centres, np.ptp(boxes.reshape(-1, 2, 2), axis=1), np.asarray(ax.get_window_extent().extents)
    )
    for text, position in zip(texts, ax.transData.inverted().transform(positions), strict=True):
        text.set_position(position)


def _move_apart(centres: np.ndarray, sizes: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Return shifts of boxes such that they neither overlap nor leave the frame, shape ``(n, 2)``.

    Each round moves both boxes of every overlapping pair apart, the upper one up, by half of the overlap each.
    """
    positions = centres.copy()
    half = sizes / 2
    for _ in range(_MAX_ROUNDS):
        positions = np.clip(positions, frame[:2] + half, np.maximum(frame[2:] - half, frame[:2] + half))
        distance = np.abs(positions[:, None] - positions[None])
        gap = distance - (half[:, None] + half[None])
        overlap = (gap < 0).all(axis=2) & ~np.eye(len(positions), dtype=bool)
        if not overlap.any():
            break
        rank = np.argsort(np.argsort(positions[:, 1], kind="stable"))
        direction = np.where(rank[:, None] > rank[None], 1.0, -1.0)
        step = np.where(overlap, -gap[:, :, 1] / 2 + _EXTRA_PIXELS, 0.0) * direction
        positions[:, 1] += step.sum(axis=1) / np.maximum(overlap.sum(axis=1), 1)
    return positions - centres
