from __future__ import annotations

import warnings
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
CHOSEN = "#D55E00"
MISSING = "#D9D9D9"

# The first eight are Okabe & Ito's. The others were added greedily, each the farthest (OKLab, normal vision together
# with simulated protanopia and deuteranopia) from those before it, from white and from the grey of missing values.
PALETTE: tuple[str, ...] = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#000000"),
    *("#6D000C", "#490086", "#006100", "#B60061", "#9E61FF", "#00DB86", "#003D49", "#FF92FF"),
    *("#9218B6", "#0031C2", "#923D00", "#00B600", "#614979", "#CE3DC2", "#00F3FF", "#FF9E92"),
    *("#FF3D6D", "#6D7900", "#3D6D61", "#0092F3", "#6D0055", "#2461F3", "#926192", "#79B69E"),
)


@dataclass(frozen=True)
class FrontLook:
    """How one of several fronts looks: colour, marker and line each tell it apart."""

    color: str
    marker: str
    dash: str

    @property
    def rgba(self) -> tuple[float, float, float, float]:
        """The colour as numbers."""
        return to_rgba(self.color)


# without the colour of the chosen point
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


def category_colors(categories: Sequence[str]) -> dict[str, str]:
    """Give each category its colour, in the order of the palette.

    Parameters
    ----------
    categories
        Names of the categories.

    Returns
    -------
    Colour of each category; the palette repeats (with a warning) beyond its 32 colours.
    """
    if len(categories) > len(PALETTE):
        warnings.warn(
            f"{len(categories)} categories share {len(PALETTE)} colours: some colours repeat.",
            UserWarning,
            stacklevel=3,
        )
    return {category: PALETTE[i % len(PALETTE)] for i, category in enumerate(categories)}


def unchosen_color(number: int) -> str:
    """Colour of the palette by its number, leaving out the colour of the chosen point."""
    free = [color for color in PALETTE if color != CHOSEN]
    return free[number % len(free)]


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


def new_axes(
    n_rows: int = 1,
    n_columns: int = 1,
    *,
    figsize: tuple[float, float],
    share: bool = False,
    heights: Sequence[float] | None = None,
) -> tuple[Figure, np.ndarray]:
    """Make a figure that lays itself out, leaving matplotlib's settings alone.

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
    """Use small type and draw two spines only."""
    ax.tick_params(labelsize=TICK_SIZE, length=2.5, width=0.6)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_linewidth(0.6)


def settle(ax: Axes) -> None:
    """Let the layout of the figure of `ax` settle, so that distances on the page can be measured."""
    figure = ax.get_figure(root=True)
    if figure is not None:
        figure.draw_without_rendering()
