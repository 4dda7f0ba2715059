"""The rule that picks a point without labels, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto._constants import ALARM_FROM
from scpareto.pareto._rules import register_rule

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.pareto._front_data import FrontData

_NEEDED = ("leakage_mean", "leakage_mean_high")


@register_rule("auto")
def auto(front: FrontData) -> int:
    """Point that an audited front recommends without labels, see :func:`reasons`."""
    return _steps(front)[0]


def reasons(front: FrontData) -> str:
    """Say in words which point ``"auto"`` picks and why.

    Parameters
    ----------
    front
        An audited front.

    Returns
    -------
    A paragraph with the figures that decided.

    Raises
    ------
    ValueError
        If the front has no point with the columns of the audit.
    """
    point, table, safe, even = _steps(front)
    chosen, first = table.iloc[table.index.tolist().index(point)], table.iloc[0]
    told = [f"Point {point} of {len(table)}. Its posterior means tell {_interval(chosen)} nats about the nuisance"]
    if point == table.index[0]:
        told[0] += ": it is the least corrected one, and none of the others without alarm leaks less."
    else:
        told[0] += f", against {_interval(first)} at point {table.index[0]}."
    rung = [int(number) for number in table.index if number not in safe]
    if rung:
        worst = table.loc[rung, "structure_lost"].max() if "structure_lost" in table else float("nan")
        told.append(
            f"{_listed(rung).capitalize()} left out: the over-correction alarm rings, since differences between "
            f"cells of one batch are lost there (up to {worst:.0%})."
        )
    elif "alarm" in table and table["alarm"].notna().any():
        told.append("The over-correction alarm rings at no point.")
    if point != table.index[0]:
        told.append("Of the points without alarm it leaks least.")
    if even:
        told.append(f"Within its interval, {_listed(even)} cannot be told from it.")
    return " ".join(told)


def _steps(front: FrontData) -> tuple[int, pd.DataFrame, list[int], list[int]]:
    """Point, the audited points, those without alarm, and those of these that leak as little within the interval."""
    table = front.to_dataframe().set_index("point")
    missing = [name for name in _NEEDED if name not in table]
    table = table if missing else table[table[list(_NEEDED)].notna().all(axis=1)]
    if missing or not len(table):
        raise ValueError(
            "The rule 'auto' needs an audited front: no point has leakage_mean, its interval and retention."
        )
    alarm = table["alarm"].fillna(0) if "alarm" in table else table["leakage_mean"] * 0
    quiet = alarm < ALARM_FROM
    safe = table[quiet] if quiet.any() else table[alarm == alarm.min()]
    best = int(safe["leakage_mean"].argmin())
    point = int(safe.index[best])
    even = safe.index[(safe["leakage_mean"] <= safe["leakage_mean_high"].iloc[best]) & (safe.index != point)]
    return point, table, safe.index.astype(int).tolist(), even.astype(int).tolist()


def _interval(row: pd.Series) -> str:
    low = row.get("leakage_mean_low", np.nan)
    return f"{row['leakage_mean']:.2f} (95 % interval {low:.2f} to {row['leakage_mean_high']:.2f})"


def _listed(numbers: list[int]) -> str:
    return f"point {numbers[0]}" if len(numbers) == 1 else f"points {', '.join(map(str, numbers))}"
