"""Grid of panels with cells at several points, and its legends at the right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from scpareto.pl._style import FAINT, INK, NOTE_SIZE, TICK_SIZE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ENTRY_HEIGHT = 1.45 * NOTE_SIZE / 72  # height of one legend entry, inches


def make_grid(shape: tuple[int, int], panel_size: float, *, common: bool) -> np.ndarray:
    """Make a figure of panels that touch.

    Parameters
    ----------
    shape
        Numbers of rows and columns.
    panel_size
        Width and height of a panel, inches.
    common
        Whether all panels share their axes, or those of a column only.

    Returns
    -------
    The axes.
    """
    figure, grid = plt.subplots(
        *shape,
        figsize=(shape[1] * panel_size + 0.25, shape[0] * panel_size + 0.2),
        squeeze=False,
        sharex=True if common else "col",
        sharey=True if common else "col",
        gridspec_kw={"wspace": 0.02, "hspace": 0.02},
    )
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02)
    return grid


def draw_row_legend(row: np.ndarray, key: dict[str, str] | mpl.cm.ScalarMappable, panel_size: float) -> None:
    """Draw the legend of a row at its right: names of categories, or a colour bar of numbers."""
    last_ax: Axes = row[-1]
    if isinstance(key, mpl.cm.ScalarMappable):
        bar = last_ax.figure.colorbar(key, cax=last_ax.inset_axes((1.05, 0.15, 0.05, 0.7)))
        bar.ax.tick_params(labelsize=NOTE_SIZE, length=2, width=0.5)
        bar.outline.set_linewidth(0.4)
        return
    handles = [
        Line2D([], [], ls="", marker="o", ms=4, mfc=color, mec="none", label=label) for label, color in key.items()
    ]
    last_ax.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        ncols=int(np.ceil(len(handles) / max(1, int(panel_size / _ENTRY_HEIGHT)))),
        fontsize=NOTE_SIZE,
        frameon=False,
        handletextpad=0.1,
        labelspacing=0.25,
        columnspacing=0.8,
        borderpad=0.2,
        labelcolor=INK,
    )


def set_limits_and_titles(
    grid: np.ndarray, coordinates: dict[Any, np.ndarray], titles: Mapping[Any, str], *, common: bool
) -> None:
    """Set common limits of all panels or of each column, and write titles above the columns."""
    all_cells = np.vstack(list(coordinates.values()))
    for column, xy in zip(grid.T, coordinates.values(), strict=True):
        cells = all_cells if common else xy
        low, high = cells.min(axis=0), cells.max(axis=0)
        pad = 0.04 * np.where(high > low, high - low, 1.0)
        for ax in column:
            ax.set_xlim(low[0] - pad[0], high[0] + pad[0])
            ax.set_ylim(low[1] - pad[1], high[1] + pad[1])
    for ax in grid.flat:
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_color(FAINT)
            spine.set_linewidth(0.6)
    for ax, point in zip(grid[0], coordinates, strict=True):
        name = point if isinstance(point, str) else f"point {point}"
        ax.set_title(titles.get(point, name), fontsize=TICK_SIZE + 0.5, pad=3)


def widen_for_legends(grid: np.ndarray, panel_size: float) -> None:
    """Widen the figure by the width of its legends, so that panels keep their size."""
    figure: Figure = grid[0, 0].figure
    figure.draw_without_rendering()
    legends = [artist for ax in grid[:, -1] for artist in (ax.get_legend(), *ax.child_axes) if artist is not None]
    if not legends:
        return
    legend_width = max(artist.get_tightbbox().width for artist in legends) / figure.dpi
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + legend_width + 0.12, height)
