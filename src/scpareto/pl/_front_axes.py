"""Axes and title of the plane of a front."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from scpareto.pl._style import FAINT, LABEL_SIZE, TICK_SIZE
from scpareto.pl._table import is_percent
from scpareto.pl._titles import make_axis_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scpareto.pl._plane import Plane

_MAX_CHARACTERS = 44  # characters of a line beside an axis of one journal column
_CHARACTER_WIDTH = 0.5  # mean width, in sizes of the type
_MIN_SPAN = 10.0
"""Smallest range of an axis in percent, so that a tenth of a percent does not look like a loss."""


def draw_axes(ax: Axes, plane: Plane) -> None:
    """Label the axes of a plane, with the better direction of each, and set their limits.

    Parameters
    ----------
    ax
        Axes with the finished plot.
    plane
        The front.
    """
    labels = [
        make_axis_label(column, higher=higher, max_characters=_MAX_CHARACTERS)
        for column, higher in zip(plane.columns, plane.higher, strict=True)
    ]
    ax.set_xlabel(labels[0], fontsize=LABEL_SIZE)
    ax.set_ylabel(labels[1], fontsize=LABEL_SIZE)
    ax.margins(0.1)
    for column, axis in zip(plane.columns, "xy", strict=True):
        if is_percent(column):
            widen_limits(ax, axis)
    if plane.judged and plane.columns[0] != "structure_kept":
        ax.axvline(0, lw=0.6, color=FAINT, zorder=0.5)


def widen_limits(ax: Axes, axis: str) -> None:
    """Widen the limits of an axis in percent to a range of at least ten.

    Parameters
    ----------
    ax
        Axes with the finished plot.
    axis
        `"x"` or `"y"`.
    """
    low, high = ax.get_xlim() if axis == "x" else ax.get_ylim()
    if high - low < _MIN_SPAN:
        middle = (low + high) / 2
        limits = (middle - _MIN_SPAN / 2, middle + _MIN_SPAN / 2)
        ax.set_xlim(*limits) if axis == "x" else ax.set_ylim(*limits)


def draw_title(ax: Axes, sentence: str) -> None:
    """Write a sentence above axes, in lines that fit; nothing if it is empty."""
    if not sentence:
        return
    width = ax.get_position().width * ax.get_figure(root=True).get_figwidth() * 72.0  # type: ignore[union-attr]
    max_characters = max(20, int(width / (_CHARACTER_WIDTH * TICK_SIZE)))
    # a number stays with its unit
    lines = textwrap.fill(sentence.replace(" %", "\N{NO-BREAK SPACE}%"), max_characters).replace(
        "\N{NO-BREAK SPACE}", " "
    )
    ax.set_title(lines, fontsize=TICK_SIZE, loc="left")


def share_limits(panels: np.ndarray) -> None:
    """Give panels common limits."""
    limits = np.array([[*ax.get_xlim(), *ax.get_ylim()] for ax in panels])
    for ax in panels:
        ax.set_xlim(limits[:, 0].min(), limits[:, 1].max())
        ax.set_ylim(limits[:, 2].min(), limits[:, 3].max())
