"""Draw other methods and embeddings in the plot of a front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba

from scpareto.pl._marks import SIZE, draw_intervals, get_error_bars
from scpareto.pl._table import is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = ("X", "P", "*", "d", ">", "8")
_SIZES = {"*": 1.9, "d": 1.1}  # relative areas that look alike
_COLOR = "#4D4D4D"


@dataclass(frozen=True)
class Others:
    """Single points of other methods in the plane of a front."""

    names: list[str]
    xy: np.ndarray
    """Values, shape `(n, 2)`."""
    bars: list[np.ndarray]
    """Error bars, each of shape `(n, 2, 2)`."""


def read_others(others: pd.DataFrame | None, columns: tuple[str, str]) -> Others:
    """Read the points of other methods.

    Parameters
    ----------
    others
        One row for each method, indexed by its name; or None.
    columns
        Columns on the axes.

    Returns
    -------
    Methods with both values.

    Raises
    ------
    TypeError
        If `others` is not a table.
    ValueError
        If one of the columns is missing or not numeric, or no method has both values.
    """
    if others is None:
        return Others([], np.empty((0, 2)), [])
    if not isinstance(others, pd.DataFrame):
        raise TypeError(f"others must be a pandas DataFrame indexed by method, got {type(others).__name__}.")
    valid = [str(c) for c in others.columns if is_number(others[c])]
    bad = [c for c in columns if c not in valid]
    if bad:
        raise ValueError(f"others has no numbers {', '.join(map(repr, bad))}; its columns: {', '.join(valid)}.")
    xy = others[list(columns)].to_numpy(dtype=float)
    has_values = np.isfinite(xy).all(axis=1)
    if not has_values.any():
        raise ValueError(f"No method of others has both {columns[0]!r} and {columns[1]!r}.")
    return Others(
        [str(name) for name in others.index[has_values]],
        xy[has_values],
        get_error_bars(others[has_values], columns, xy[has_values]),
    )


def draw_others(ax: Axes, others: Others, *, intervals: bool) -> None:
    """Draw the points of other methods in grey; :func:`write_names` writes their names.

    Parameters
    ----------
    ax
        Axes to draw on.
    others
        The points.
    intervals
        Whether to draw their error bars.
    """
    if intervals:
        draw_intervals(ax, others.bars, np.tile(to_rgba(_COLOR), (len(others.xy), 1)))
    for i, xy in enumerate(others.xy):
        marker = _MARKERS[i % len(_MARKERS)]
        marks = ax.scatter(
            xy[0],
            xy[1],
            marker=marker,
            s=1.3 * SIZE * _SIZES.get(marker, 1.0),
            facecolors=_COLOR,
            edgecolors="white",
            linewidths=0.5,
            zorder=2.8,
        )
        marks.set_gid("other")
