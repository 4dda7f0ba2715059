"""Colours, sizes and axes that all plots of fronts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgba

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: one journal column, inches
COLUMN_WIDTH = 3.5
LABEL_SIZE, TICK_SIZE, NOTE_SIZE = 8.0, 7.0, 6.5

INK, MUTED, FAINT = "#222222", "#8A8A8A", "#D0D0D0"


@dataclass(frozen=True)
class FrontLook:
    """Colour, marker and line style of one of several fronts; each differs between fronts."""

    color: str
    marker: str
    dash: str

    @property
    def rgba(self) -> tuple[float, float, float, float]:
        """The colour as numbers."""
        return to_rgba(self.color)


# without the colour of the recommended point
FRONT_LOOKS: tuple[FrontLook, ...] = (
    FrontLook("#0072B2", "o", "-"),
    FrontLook("#E69F00", "s", "--"),
    FrontLook("#009E73", "^", "-."),
    FrontLook("#CC79A7", "D", ":"),
    FrontLook("#56B4E9", "v", "-"),
    FrontLook("#490086", "p", "--"),
    FrontLook("#6D000C", "h", "-."),
    FrontLook("#000000", "<", ":"),
)


def point_colors(points: np.ndarray) -> np.ndarray:
    """Colour points of a front by their number, the same in every plot.

    Parameters
    ----------
    points
        Point numbers of the whole front, shape `(n,)`.

    Returns
    -------
    RGBA colours, shape `(n, 4)`: dark for uncorrected, light for strongest.
    """
    points = np.asarray(points, dtype=float)
    span = np.ptp(points) if points.size else 0.0
    share = (points - points.min()) / span if span > 0 else np.zeros_like(points)
    # the last tenth of viridis is too light to be seen on white
    return np.asarray(mpl.colormaps["viridis"](0.93 * share))


def make_axes(
    n_rows: int = 1,
    n_columns: int = 1,
    *,
    figsize: tuple[float, float],
    share: bool = False,
    heights: Sequence[float] | None = None,
) -> tuple[Figure, np.ndarray]:
    """Make a figure with constrained layout, without changing matplotlib's settings.

    Parameters
    ----------
    n_rows, n_columns
        Size of the grid.
    figsize
        Width and height in inches.
    share
        Whether all panels share both axes.
    heights
        Heights of the rows in proportion; by default equal.

    Returns
    -------
    The figure and its axes, shape `(n_rows, n_columns)`.
    """
    return plt.subplots(
        n_rows,
        n_columns,
        figsize=figsize,
        squeeze=False,
        sharex=share,
        sharey=share,
        height_ratios=heights,
        layout="constrained",
    )


def tidy(ax: Axes) -> None:
    """Use small tick labels and only the left and bottom spine."""
    ax.tick_params(labelsize=TICK_SIZE, length=2.5, width=0.6)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_linewidth(0.6)


def update_layout(ax: Axes) -> None:
    """Compute the layout of the figure of `ax`, so that positions in pixels can be measured."""
    figure = ax.get_figure(root=True)
    if figure is not None:
        figure.draw_without_rendering()
