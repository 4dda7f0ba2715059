"""Marks and shades for points whose over-correction alarm rings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from scpareto._constants import ALARM_FROM
from scpareto.pl._style import INK

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ALARM_NAME = "alarm rings"
CROSS = 8.4
"""Size of the cross through a point, typographic points."""

# the hatch shows the range without colour
_SHADE_STYLE: dict[str, Any] = {"facecolor": "#FCE9DC", "edgecolor": "#E3A378", "hatch": "//////", "linewidth": 0.0}
_HATCH_WIDTH: Any = {"hatch.linewidth": 0.5}


def find_alarmed(table: pd.DataFrame) -> np.ndarray:
    """Find the points whose alarm rings, that is, has the value `ALARM_FROM` or more.

    Parameters
    ----------
    table
        Table of a front with `n` rows.

    Returns
    -------
    Mask of the points whose `alarm` rings, shape `(n,)`; False for points without a value.

    Raises
    ------
    ValueError
        If an alarm lies outside [0, 1].
    """
    if "alarm" not in table.columns:
        return np.zeros(len(table), dtype=bool)
    values = table["alarm"].to_numpy(dtype=float)
    bad = (values < 0) | (values > 1)
    if bad.any():
        raise ValueError(f"alarm must lie in [0, 1], got {values[bad][0]:g} at point {table['point'][bad].iloc[0]}.")
    return values >= ALARM_FROM


def draw_alarms(ax: Axes, xy: np.ndarray) -> None:
    """Draw crosses over points whose alarm rings.

    Parameters
    ----------
    ax
        Axes to draw on.
    xy
        Coordinates of these points, shape `(n, 2)`.
    """
    if len(xy):
        ax.scatter(xy[:, 0], xy[:, 1], marker="x", s=CROSS**2, c=INK, lw=0.9, zorder=3.4).set_gid("alarm")


def shade_alarm(ax: Axes, x: np.ndarray, rings: np.ndarray) -> np.ndarray:
    """Shade the ranges of a horizontal axis in which the alarm rings.

    Ranges end half-way to the neighbouring points.

    Parameters
    ----------
    ax
        Axes to draw on.
    x
        Positions of the points in ascending order, shape `(n,)`.
    rings
        Mask of the points whose alarm rings, shape `(n,)`.

    Returns
    -------
    Edges of the ranges of all points, shape `(n + 1,)`.
    """
    span = np.ptp(x) or 1.0
    middles = (x[1:] + x[:-1]) / 2
    edges = np.concatenate([[x[0] - 0.06 * span], middles, [x[-1] + 0.06 * span]])
    starts = np.flatnonzero(rings & ~np.concatenate([[False], rings[:-1]]))
    ends = np.flatnonzero(rings & ~np.concatenate([rings[1:], [False]]))
    for start, end in zip(starts, ends, strict=True):
        with mpl.rc_context(_HATCH_WIDTH):
            ax.axvspan(edges[start], edges[end + 1], zorder=0.5, **_SHADE_STYLE).set_gid("alarm")
    return edges


def shade_entry() -> Patch:
    """Make the legend entry of shaded ranges."""
    with mpl.rc_context(_HATCH_WIDTH):
        return Patch(label=ALARM_NAME, **_SHADE_STYLE)


def cross_entry() -> Line2D:
    """Make the legend entry of crossed out points."""
    return Line2D([], [], ls="", marker="x", ms=CROSS - 2, color=INK, mew=0.9, label=ALARM_NAME)
