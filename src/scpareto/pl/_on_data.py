"""Names of types written on their cells, where scanpy's ``legend_loc="on data"`` writes them."""

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
_ROUNDS = 200
_SLACK = 0.25
"""Pixels beyond what is needed, so that rounds come to an end."""


def places_of_legends(legend_loc: LegendLoc | Mapping[str, LegendLoc], names: Iterable[str]) -> dict[str, LegendLoc]:
    """Read where each colouring is explained.

    Parameters
    ----------
    legend_loc
        A place for all, or by name of the colouring.
    names
        Names of the colourings.

    Returns
    -------
    A place for each.

    Raises
    ------
    ValueError
        If there is no such place or colouring.
    """
    known = list(names)
    given = dict(legend_loc) if isinstance(legend_loc, Mapping) else dict.fromkeys(known, legend_loc)
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"legend_loc names {unknown[0]!r}; colourings are {', '.join(map(repr, known))}.")
    if bad := [place for place in given.values() if place not in get_args(LegendLoc)]:
        valid = ", ".join(map(repr, get_args(LegendLoc)))
        raise ValueError(f"legend_loc={bad[0]!r} is unknown; valid: {valid}.")
    return {name: given.get(name, RIGHT_MARGIN) for name in known}


def write_on_data(ax: Axes, xy: np.ndarray, values: pd.Series) -> None:
    """Write the name of each category at the median of its cells, outlined in white; numbers have no names.

    Names that would cover each other are moved apart, up and down, and all stay inside the axes. Places are measured on
    the page, so limits and layout should be final.

    Parameters
    ----------
    ax
        Where the cells are drawn.
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
    places = centres + _moved_apart(
        centres, np.ptp(boxes.reshape(-1, 2, 2), axis=1), np.asarray(ax.get_window_extent().extents)
    )
    for text, place in zip(texts, ax.transData.inverted().transform(places), strict=True):
        text.set_position(place)


def _moved_apart(centres: np.ndarray, sizes: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """How far to move boxes so that they neither cover each other nor leave the frame, shape ``(n, 2)``.

    Each round moves every pair that overlaps half of the way apart; the upper one goes up.
    """
    places = centres.copy()
    half = sizes / 2
    for _ in range(_ROUNDS):
        places = np.clip(places, frame[:2] + half, np.maximum(frame[2:] - half, frame[:2] + half))
        apart = np.abs(places[:, None] - places[None])
        gap = apart - (half[:, None] + half[None])
        overlap = (gap < 0).all(axis=2) & ~np.eye(len(places), dtype=bool)
        if not overlap.any():
            break
        rank = np.argsort(np.argsort(places[:, 1], kind="stable"))
        up = np.where(rank[:, None] > rank[None], 1.0, -1.0)
        step = np.where(overlap, -gap[:, :, 1] / 2 + _SLACK, 0.0) * up
        places[:, 1] += step.sum(axis=1) / np.maximum(overlap.sum(axis=1), 1)
    return places - centres
