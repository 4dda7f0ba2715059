"""What a front says of itself, in one short sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._constants import ALARM_FROM
from scpareto.pareto import Front, sweep_record, value_in_words
from scpareto.pl._table import as_table, judged_plane
from scpareto.pl._titles import LEFT

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.pl._sources import FrontLike

_LARGE_LOSS = 5.0
"""Percent of the structure; a loss that could be as large is not called none."""


@dataclass(frozen=True)
class Told:
    """What a front recommends."""

    recommended: int | None = None
    """Number of the recommended point; None for a plain table."""
    sentence: str = ""
    """One short sentence; empty for a plain table and for a front that was not judged."""
    selected: int | None = None
    """Number of the point that the model is in, unless it is the recommended one."""
    knob: str = ""
    """Of a sweep, its option."""
    values: dict[int, str] = field(default_factory=dict)
    """Of a sweep, the value of its option at each point, such as ``"theta 2"``."""


def told_of(front: FrontLike | pd.DataFrame) -> Told:
    """Ask a front what it recommends.

    Parameters
    ----------
    front
        A front, or its table.

    Returns
    -------
    The recommended point and a sentence about it, the selected point, and what its points are called.
    """
    number = getattr(front, "recommended", None)
    if not isinstance(number, (int, np.integer)) or not hasattr(front, "explain"):
        return Told()
    number, selected = int(number), getattr(front, "selected", None)
    knob = str((sweep_record(front) or {}).get("knob", "")) if isinstance(front, Front) else ""
    values = {n: value_in_words(front, n) for n in front.numbers} if isinstance(front, Front) else {}
    return Told(
        number,
        _sentence(front, number, values.get(number, "")),
        selected=None if selected is None or selected == number else int(selected),
        knob=knob,
        values={n: value for n, value in values.items() if value},
    )


def _sentence(front: FrontLike | pd.DataFrame, number: int, value: str) -> str:
    record = getattr(front, "metadata", {}).get("judged", {})
    if record.get("no_batch_effect"):
        nuisance = _nuisance(str(record.get("column", "batch_left")))
        if record.get("none_at_all"):
            return f"No {nuisance} effect to remove."
        return f"No {nuisance} effect was shown with {record['n_cells']:,} cells."
    table = as_table(front)
    plane = judged_plane(table)
    if plane is None:
        return ""
    values = table.set_index("point").loc[number, list(plane)].to_numpy(dtype=float)
    if not np.isfinite(values).all():
        return f"Recommended: point {number}."
    what = f"point {number}{f' ({value})' if value else ''}, {round(values[0])} % of the {_nuisance(plane[0])} left"
    what += f", {round(values[1])} % of the structure kept"
    trade_off = _trade_off(front, int(table["point"].iloc[0]), number)
    return f"{trade_off or 'Recommended'}: {what}."


def _nuisance(column: str) -> str:
    return column.removesuffix(LEFT).replace("_", " ")


def _trade_off(front: Any, first: int, number: int) -> str:
    """Say that the recommended point keeps as much structure as the least corrected one; empty if it does not.

    Nor is there no trade-off where the alarm of another point rings: it has lost something.
    """
    differences = getattr(front, "tables", {}).get("differences_structure")
    table = as_table(front)
    alarm = table["alarm"].fillna(0).to_numpy(dtype=float) if "alarm" in table else np.zeros(1)
    if differences is None or number == first or (alarm >= ALARM_FROM).any():
        return ""
    pair = differences[(differences["first"] == f"point {first}") & (differences["second"] == f"point {number}")]
    if not len(pair) or not np.isfinite(low := float(pair["low"].iloc[0])) or low > 0:
        return ""
    # The judge may miss a loss, so that none is ruled out. Few cells prove little: an interval that holds a large loss
    # does not even say that there is none among what it sees.
    return f"No trade-off {'shown' if float(pair['high'].iloc[0]) > _LARGE_LOSS else 'seen'} on these cells"
