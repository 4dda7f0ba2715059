"""The panels of cells at several points: a grid with common limits, explained at its right."""

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

_LINE = 1.45 * NOTE_SIZE / 72  # height of one legend entry, inches


def new_grid(shape: tuple[int, int], panel_size: float, *, common: bool) -> np.ndarray:
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


def explain_row(row: np.ndarray, key: dict[str, str] | mpl.cm.ScalarMappable, panel_size: float) -> None:
    """Explain the colours of a row at its right: categories by their names, numbers by a bar."""
    last: Axes = row[-1]
    if isinstance(key, mpl.cm.ScalarMappable):
        bar = last.figure.colorbar(key, cax=last.inset_axes((1.05, 0.15, 0.05, 0.7)))
        bar.ax.tick_params(labelsize=NOTE_SIZE, length=2, width=0.5)
        bar.outline.set_linewidth(0.4)
        return
    handles = [
        Line2D([], [], ls="", marker="o", ms=4, mfc=color, mec="none", label=label) for label, color in key.items()
    ]
    last.legend(
        handles=handles,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        ncols=int(np.ceil(len(handles) / max(1, int(panel_size / _LINE)))),
        fontsize=NOTE_SIZE,
        frameon=False,
        handletextpad=0.1,
        labelspacing=0.25,
        columnspacing=0.8,
        borderpad=0.2,
        labelcolor=INK,
    )


def frame(grid: np.ndarray, coordinates: dict[Any, np.ndarray], titles: Mapping[Any, str], *, common: bool) -> None:
    """Set limits, of all panels or of each column, and write the names of points above the columns."""
    everything = np.vstack(list(coordinates.values()))
    for column, own in zip(grid.T, coordinates.values(), strict=True):
        cells = everything if common else own
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


def make_room(grid: np.ndarray, panel_size: float) -> None:
    """Widen the figure by its legends, so that panels keep their size."""
    figure: Figure = grid[0, 0].figure
    figure.draw_without_rendering()
    beside = [artist for ax in grid[:, -1] for artist in (ax.get_legend(), *ax.child_axes) if artist is not None]
    if not beside:
        return
    room = max(artist.get_tightbbox().width for artist in beside) / figure.dpi
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + room + 0.12, height)
