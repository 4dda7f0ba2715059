"""How much of the batch the points of a front leave at most and at least."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto._constants import BATCH_LEFT, STRUCTURE_KEPT
from scpareto.pareto._judged import left_column

if TYPE_CHECKING:
    from scpareto.pareto._front_data import FrontData

_ALL = 100.0
"""Percent of the structure that a replicate keeps."""


def attainable_range(front: FrontData) -> tuple[float, float] | None:
    """Most and least that the points leave of the batch, in %; None where places are not taken by it.

    Examples
    --------
    >>> from scpareto.pareto import Front
    >>> front = Front(objectives=["generative_loss", "mmd"])
    >>> for point, left in enumerate((40.0, 12.0, 3.0)):
    ...     front.add({"point": point, "batch_left": left})
    >>> attainable_range(front)
    (40.0, 3.0)
    """
    on_axis = len(front.objectives) == 2 and left_column(front) == BATCH_LEFT and front.metadata.get("on_axis", True)
    left = front.table[BATCH_LEFT].dropna() if on_axis and BATCH_LEFT in front.table else ()
    return (float(max(left)), float(min(left))) if len(left) else None


def range_in_words(front: FrontData) -> str:
    """Say from where to where the front goes, and what its first point costs; empty where it has no such range."""
    ends, judged = attainable_range(front), front.metadata.get("judged", {})
    if ends is None or len(front) < 2 or judged.get("no_batch_effect"):
        return ""
    digits = 0 if round(ends[0]) != round(ends[1]) else 1
    told = f"The front goes from {ends[0]:.{digits}f} % to {ends[1]:.{digits}f} % of the batch effect left"
    if not (front.states or front.path is not None):
        return f"{told}."
    return f"{told}: point {front.numbers[0]} is the model alone, whose decoder already sees the batch{_cost(front)}."


def _cost(front: FrontData) -> str:
    """Say what the first point loses of the structure, if its interval tells a loss."""
    first = front.table.iloc[0]
    kept, high = (first.get(name) for name in (STRUCTURE_KEPT, f"{STRUCTURE_KEPT}_high"))
    if kept is None or high is None or np.isnan([kept, high]).any():
        return ""
    return "; that costs nothing that can be measured" if high >= _ALL else f"; it keeps {kept:.0f} % of the structure"
