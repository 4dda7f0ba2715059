from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform

from scpareto._constants import ALARM_FROM

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

ALARM_NAME = "over-correction alarm"

# the hatch tells the zone without colour, and where zones of several fronts overlap shows through
_LOOK: dict[str, Any] = {"facecolor": "#FCE9DC", "edgecolor": "#E3A378", "hatch": "//////", "linewidth": 0.0}
_HATCH_WIDTH: Any = {"hatch.linewidth": 0.5}
ZONE_RADIUS = 8.0  # around a point, typographic points


def alarmed(table: pd.DataFrame) -> np.ndarray:
    """Find the points whose alarm rings, which is from `ALARM_FROM` on.

    Parameters
    ----------
    table
        Table of a front with `n` rows.

    Returns
    -------
    Where `alarm` rings, shape `(n,)`. Nowhere without such a column or value.

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


class _Zone(Patch):
    """The surroundings of points and of straight lines between some of them, of one width on the page."""

    def __init__(self, xy: np.ndarray, pairs: np.ndarray, **style: Any) -> None:
        super().__init__(**style)
        self.xy = xy
        self.pairs = pairs
        self.set_transform(IdentityTransform())

    def get_path(self) -> Path:
        """Outline in pixels: one capsule for each pair, all turning the same way, so that overlaps stay filled."""
        if self.axes is None or self.figure is None:
            return Path(np.empty((0, 2)))
        radius = ZONE_RADIUS * self.figure.dpi / 72.0
        turn = np.linspace(0.5, 1.5, 33) * np.pi
        capsules = []
        for start, end in self.axes.transData.transform(self.xy)[self.pairs]:
            angle = np.arctan2(*(end - start)[::-1])
            arcs = [
                centre + radius * np.column_stack([np.cos(angle + t), np.sin(angle + t)])
                for centre, t in ((start, turn), (end, turn + np.pi))
            ]
            capsules.append(Path(np.vstack([*arcs, arcs[0][:1]]), closed=True))
        return Path.make_compound_path(*capsules)


def zone_pairs(over: np.ndarray, *, joined: bool) -> np.ndarray:
    """Say between which points a zone extends.

    Parameters
    ----------
    over
        Which points are over-corrected, in order of their numbers, shape `(n,)`.
    joined
        Whether to join neighbours.

    Returns
    -------
    Rows of points, shape `(m, 2)`: each point with itself, then neighbours.
    """
    rows = np.flatnonzero(over)
    alone = np.column_stack([rows, rows])
    first = rows[:-1][np.diff(rows) == 1]
    return np.vstack([alone, np.column_stack([first, first + 1])]) if joined else alone


def draw_zone(
    ax: Axes, xy: np.ndarray, over: np.ndarray, *, joined: bool, color: str | None = None, hatch: str | None = None
) -> None:
    """Shade the surroundings of the over-corrected points of a plane.

    Parameters
    ----------
    ax
        Where to draw.
    xy
        Points in order of their numbers, shape `(n, 2)`.
    over
        Which are over-corrected, shape `(n,)`.
    joined
        Whether to shade between neighbours too, for fronts that run from one end to the other.
    color, hatch
        How the zone looks if not as usual.
    """
    if not over.any():
        return
    pairs = zone_pairs(over, joined=joined)
    with mpl.rc_context(_HATCH_WIDTH):
        zone = _Zone(xy, pairs, zorder=0.6, **_look(color, hatch))
    zone.set_gid("alarm")
    ax.add_artist(zone)


def shade_alarm(ax: Axes, x: np.ndarray, over: np.ndarray) -> np.ndarray:
    """Shade the stretches of a horizontal axis whose points are over-corrected.

    Stretches end half-way to the neighbours.

    Parameters
    ----------
    ax
        Where to draw.
    x
        Places of the points in rising order, shape `(n,)`.
    over
        Which points are over-corrected, shape `(n,)`.

    Returns
    -------
    Edges of the stretches of all points, shape `(n + 1,)`.
    """
    span = np.ptp(x) or 1.0
    middles = (x[1:] + x[:-1]) / 2
    edges = np.concatenate([[x[0] - 0.06 * span], middles, [x[-1] + 0.06 * span]])
    starts = np.flatnonzero(over & ~np.concatenate([[False], over[:-1]]))
    ends = np.flatnonzero(over & ~np.concatenate([over[1:], [False]]))
    for start, end in zip(starts, ends, strict=True):
        with mpl.rc_context(_HATCH_WIDTH):
            ax.axvspan(edges[start], edges[end + 1], zorder=0.5, **_LOOK).set_gid("alarm")
    return edges


def alarm_entry(color: str | None = None) -> Patch:
    """Make what explains the zone in a legend, in its usual colour or another."""
    with mpl.rc_context(_HATCH_WIDTH):
        return Patch(label=ALARM_NAME, **_look(color, None))


def _look(color: str | None, hatch: str | None) -> dict[str, Any]:
    look = _LOOK if color is None else {**_LOOK, "facecolor": to_rgba(color, 0.15), "edgecolor": to_rgba(color, 0.6)}
    return look if hatch is None else {**look, "hatch": hatch}
