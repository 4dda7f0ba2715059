"""Axes and title of the plane of a front."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from scpareto.pl._style import FAINT, LABEL_SIZE, TICK_SIZE
from scpareto.pl._table import is_percent
from scpareto.pl._titles import axis_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scpareto.pl._plane import Plane

_LONGEST = 44  # characters of a line beside an axis of one journal column
_CHARACTER = 0.5  # mean width, in sizes of the type
_LEAST_SPAN = 10.0
"""Smallest range of an axis in percent, so that a tenth of a percent does not look like a loss."""


def draw_axes(ax: Axes, plane: Plane) -> None:
    """Name the axes of a plane, with the better direction of each, and choose their limits.

    Parameters
    ----------
    ax
        Where everything else is drawn.
    plane
        The front.
    """
    words = [
        axis_words(column, higher=higher, longest=_LONGEST)
        for column, higher in zip(plane.columns, plane.higher, strict=True)
    ]
    ax.set_xlabel(words[0], fontsize=LABEL_SIZE)
    ax.set_ylabel(words[1], fontsize=LABEL_SIZE)
    ax.margins(0.1)
    for column, axis in zip(plane.columns, "xy", strict=True):
        if is_percent(column):
            widen(ax, axis)
    if plane.judged and plane.columns[0] != "structure_kept":
        ax.axvline(0, lw=0.6, color=FAINT, zorder=0.5)


def widen(ax: Axes, axis: str) -> None:
    """Let an axis in percent span at least ten of them.

    Parameters
    ----------
    ax
        Where everything is drawn.
    axis
        `"x"` or `"y"`.
    """
    low, high = ax.get_xlim() if axis == "x" else ax.get_ylim()
    if high - low < _LEAST_SPAN:
        middle = (low + high) / 2
        limits = (middle - _LEAST_SPAN / 2, middle + _LEAST_SPAN / 2)
        ax.set_xlim(*limits) if axis == "x" else ax.set_ylim(*limits)


def draw_title(ax: Axes, sentence: str) -> None:
    """Write a sentence above axes, in lines that fit; nothing if it is empty."""
    if not sentence:
        return
    width = ax.get_position().width * ax.get_figure(root=True).get_figwidth() * 72.0  # type: ignore[union-attr]
    longest = max(20, int(width / (_CHARACTER * TICK_SIZE)))
    # a number stays with its unit
    lines = textwrap.fill(sentence.replace(" %", "\N{NO-BREAK SPACE}%"), longest).replace("\N{NO-BREAK SPACE}", " ")
    ax.set_title(lines, fontsize=TICK_SIZE, loc="left")


def same_limits(panels: np.ndarray) -> None:
    """Give panels common limits."""
    limits = np.array([[*ax.get_xlim(), *ax.get_ylim()] for ax in panels])
    for ax in panels:
        ax.set_xlim(limits[:, 0].min(), limits[:, 1].max())
        ax.set_ylim(limits[:, 2].min(), limits[:, 3].max())
