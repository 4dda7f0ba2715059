"""Judged points of a front: batch left on one axis, structure kept on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._constants import ALARM_FROM, BATCH_LEFT, STRUCTURE_KEPT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.pareto._front_data import FrontData

DIFFERENCES = {"left": "differences", "kept": "differences_structure"}
"""Tables of paired differences between points."""


def left_column(front: FrontData) -> str:
    """Name of the column of the judged nuisance that is left."""
    return str(front.metadata.get("judged", {}).get("column", BATCH_LEFT))


def is_judged(front: FrontData) -> bool:
    """Whether some point has both numbers of the judge."""
    table, columns = front.table, [left_column(front), STRUCTURE_KEPT]
    return set(columns) <= set(table) and bool(table[columns].notna().all(axis=1).any())


def alarm_mask(front: FrontData) -> NDArray[np.bool_]:
    """Whether the over-correction alarm of each point rings, shape ``(n,)``; False where it is unknown."""
    if "alarm" not in front.table:
        return np.zeros(len(front), dtype=bool)
    return front.table["alarm"].fillna(0).to_numpy(dtype=np.float64) >= ALARM_FROM


def paired_intervals(front: FrontData, which: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Paired intervals of the differences of all points, row less column.

    Parameters
    ----------
    front
        The front.
    which
        ``"left"`` or ``"kept"``.

    Returns
    -------
    Lower and upper ends, each of shape ``(n, n)``; NaN where two points were not compared.
    """
    n = len(front)
    low, high = np.full((n, n), np.nan), np.full((n, n), np.nan)
    table = front.tables.get(DIFFERENCES[which])
    if table is None:
        return low, high
    place = {f"point {number}": row for row, number in enumerate(front.numbers)}
    for first, second, lower, upper in table[["first", "second", "low", "high"]].itertuples(index=False, name=None):
        if first in place and second in place:
            i, j = place[first], place[second]
            low[i, j], high[i, j] = lower, upper
            low[j, i], high[j, i] = -upper, -lower
    return low, high


def judged_points(front: FrontData) -> NDArray[np.float64]:
    """Percent of the batch left and of the structure lost, shape ``(n, 2)``: less is better in both."""
    table = front.table
    missing = pd.Series(np.nan, index=table.index)
    left, kept = (table.get(name, missing) for name in (left_column(front), STRUCTURE_KEPT))
    return np.column_stack([left, 100 - kept]).astype(np.float64)


def judged_non_dominated(front: FrontData) -> NDArray[np.bool_]:
    """Which points no other point beats, shape ``(n,)``.

    A point is beaten by another one that is better in one of the two, the batch left and the structure kept, and not
    worse in the other, by more than their paired interval allows for chance. A point whose alarm rings has lost what
    one without alarm keeps, and does not beat it. Points that were not judged are not among them.
    """
    points, alarmed = judged_points(front), alarm_mask(front)
    has_both = np.asarray(np.isfinite(points).all(axis=1))
    is_worse = []
    for column, (which, sign) in enumerate((("left", 1), ("kept", -1))):
        low, high = paired_intervals(front, which)
        # row certainly worse than column
        worse = np.asarray(low > 0 if sign > 0 else high < 0)
        values = points[:, column]
        is_worse.append(np.where(np.isnan(low), values[:, None] > values[None, :], worse))
    left, kept = is_worse
    beaten = (left & ~kept.T) | (kept & ~left.T)
    beaten &= has_both[None, :] & ~(alarmed[None, :] & ~alarmed[:, None])
    return np.asarray(has_both & ~beaten.any(axis=1), dtype=bool)


def alarm_in_words(front: FrontData, number: int) -> str:
    """Describe the alarm of a point in words; empty if it does not ring."""
    row = front.numbers.index(number)
    if not alarm_mask(front)[row]:
        return ""
    words = f"The over-correction alarm rings at point {number}: differences between cells are lost there"
    most = front.table.get("structure_lost_most")
    if most is not None and isinstance(most.iloc[row], str) and most.iloc[row] != "none":
        words += f", most of all {most.iloc[row]}"
    return f"{words}. front.lost({number}) lists them."
