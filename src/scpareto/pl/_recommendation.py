"""Read the recommendation of a front and write it as one short sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._constants import ALARM_FROM
from scpareto.pareto import Front, sweep_record, value_in_words
from scpareto.pl._table import as_table, find_judged_plane
from scpareto.pl._titles import LEFT_SUFFIX

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.pl._sources import FrontLike

_LARGE_LOSS = 5.0
"""Percent of the structure; if the interval of the loss includes it, the sentence does not rule out a loss."""


@dataclass(frozen=True)
class Recommendation:
    """Recommended point of a front, and its sentence."""

    recommended: int | None = None
    """Number of the recommended point; None for a plain table."""
    sentence: str = ""
    """One short sentence; empty for a plain table and for a front that was not judged."""
    selected: int | None = None
    """Number of the model's selected point, unless it is the recommended one."""
    knob: str = ""
    """The option of a sweep; empty for other fronts."""
    values: dict[int, str] = field(default_factory=dict)
    """The value of a sweep's option at each point, such as ``"theta 2"``; empty for other fronts."""


def get_recommendation(front: FrontLike | pd.DataFrame) -> Recommendation:
    """Read the recommendation of a front.

    Parameters
    ----------
    front
        A front, or its table.

    Returns
    -------
    The recommended point and a sentence about it, the selected point, and the names of the points.
    """
    number = getattr(front, "recommended", None)
    if not isinstance(number, (int, np.integer)) or not hasattr(front, "explain"):
        return Recommendation()
    number, selected = int(number), getattr(front, "selected", None)
    knob = str((sweep_record(front) or {}).get("knob", "")) if isinstance(front, Front) else ""
    values = {n: value_in_words(front, n) for n in front.numbers} if isinstance(front, Front) else {}
    return Recommendation(
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
    plane = find_judged_plane(table)
    if plane is None:
        return ""
    values = table.set_index("point").loc[number, list(plane)].to_numpy(dtype=float)
    if not np.isfinite(values).all():
        return f"Recommended: point {number}."
    text = f"point {number}{f' ({value})' if value else ''}, {round(values[0])} % of the {_nuisance(plane[0])} left"
    text += f", {round(values[1])} % of the structure kept"
    trade_off = _trade_off(front, int(table["point"].iloc[0]), number)
    return f"{trade_off or 'Recommended'}: {text}."


def _nuisance(column: str) -> str:
    return column.removesuffix(LEFT_SUFFIX).replace("_", " ")


def _trade_off(front: Any, first: int, number: int) -> str:
    """Say that there is no trade-off if the recommended point keeps as much structure as the least corrected one.

    Empty if it keeps less, or if the alarm of any point rings, because that point has lost something.
    """
    differences = getattr(front, "tables", {}).get("differences_structure")
    table = as_table(front)
    alarm = table["alarm"].fillna(0).to_numpy(dtype=float) if "alarm" in table else np.zeros(1)
    if differences is None or number == first or (alarm >= ALARM_FROM).any():
        return ""
    pair = differences[(differences["first"] == f"point {first}") & (differences["second"] == f"point {number}")]
    if not len(pair) or not np.isfinite(low := float(pair["low"].iloc[0])) or low > 0:
        return ""
    # The judge may miss a loss, so the sentence says "seen". If the interval includes a large loss, as with few cells,
    # even a loss that the judge could see is not ruled out, and the sentence says "shown".
    return f"No trade-off {'shown' if float(pair['high'].iloc[0]) > _LARGE_LOSS else 'seen'} on these cells"
