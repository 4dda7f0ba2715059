"""Range of batch left over the points of a front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto._constants import BATCH_LEFT, STRUCTURE_KEPT
from scpareto.pareto._judged import left_column

if TYPE_CHECKING:
    from scpareto.pareto._front_data import FrontData

_FULL_STRUCTURE = 100.0
"""Percentage of the structure that a replicate keeps."""


def attainable_range(front: FrontData) -> tuple[float, float] | None:
    """Return the largest and smallest batch left of the points, in %; None if the front is not on that axis.

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
    """Describe the range of batch left and the cost of the first point in words; empty without such a range."""
    limits, judged = attainable_range(front), front.metadata.get("judged", {})
    if limits is None or len(front) < 2 or judged.get("no_batch_effect"):
        return ""
    digits = 0 if round(limits[0]) != round(limits[1]) else 1
    sentence = f"The front goes from {limits[0]:.{digits}f} % to {limits[1]:.{digits}f} % of the batch effect left"
    if not (front.states or front.path is not None):
        return f"{sentence}."
    first = f"point {front.numbers[0]} is the model alone, whose decoder already sees the batch"
    return f"{sentence}: {first}{_describe_cost(front)}."


def _describe_cost(front: FrontData) -> str:
    """Describe the structure that the first point keeps, if it is known."""
    first = front.table.iloc[0]
    kept, high = (first.get(name) for name in (STRUCTURE_KEPT, f"{STRUCTURE_KEPT}_high"))
    if kept is None or high is None or np.isnan([kept, high]).any():
        return ""
    return (
        "; that costs nothing that can be measured"
        if high >= _FULL_STRUCTURE
        else f"; it keeps {kept:.0f} % of the structure"
    )
