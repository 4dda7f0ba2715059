"""Looking up a point of a front by its number, a rule or limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.pareto._directions import is_higher_better
from scpareto.pareto._judged import alarm_mask
from scpareto.pareto._rules import apply_rule, rule_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.pareto._front_data import FrontData

Which = int | np.integer | str | Mapping[str, float]
"""How a point is chosen: by number, by a rule, or by limits on columns in their better direction."""


def find(front: FrontData, which: Which, *, allow_alarm: bool = False) -> int:
    """Point number for every form of ``which``, see :meth:`Front.find`."""
    check_which(which)
    check_not_empty(front)
    if isinstance(which, str):
        return apply_rule(which, front)
    return _by_limits(front, which, allow_alarm) if isinstance(which, Mapping) else check_point(front, which)


def check_point(front: FrontData, number: Any) -> int:
    """Return the number of a point as a plain integer; raise an error if the front has no such point."""
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise TypeError(f"A point number is an integer, got {number!r}.")
    if (plain := int(number)) not in front.numbers:
        raise ValueError(f"There is no point {plain}; choose from {front.numbers}.")
    return plain


def check_not_empty(front: FrontData) -> None:
    """Raise an error for a front without points."""
    if not len(front):
        raise ValueError("The front has no points yet.")


def check_which(which: Any) -> None:
    """Raise an error for values that cannot name a point, before anything is looked up or trained."""
    # Booleans are integers in Python, but True does not mean point 1.
    if not isinstance(which, bool) and isinstance(which, Integral | str | Mapping):
        return
    # Arrays, tensors and numpy numbers become plain values.
    value = which.tolist() if hasattr(which, "tolist") else which
    if isinstance(value, Integral) and not isinstance(value, bool):
        raise TypeError(f"which={which!r}: a point number is an integer; point {value} is select({int(value)}).")
    if isinstance(value, Real) and not isinstance(value, bool):
        raise TypeError(_suggest_place(round(float(value), 6)))
    if isinstance(value, Sequence) and value and all(isinstance(n, Real) and not isinstance(n, bool) for n in value):
        raise TypeError(_suggest_place([round(float(n), 6) for n in value]))
    raise TypeError(
        f"Cannot look up a point by {which!r}; give a point number (int), a rule from {rule_names()}, or a dict of "
        "limits on columns. A place between the points is batch_left=, in %, or preference=, a float in [0, 1] or one "
        "number per objective."
    )


def _suggest_place(place: float | list[float]) -> str:
    """Return the message that explains how to choose a place, and which point a whole number may have meant."""
    words = f"which={place!r}: a place between the points is preference={place!r}, as in select(preference={place!r})"
    if isinstance(place, float) and place.is_integer():
        words += f"; point {int(place)} is select({int(place)})"
    return f"{words}."


def _by_limits(front: FrontData, which: Mapping[str, float], allow_alarm: bool) -> int:
    """Least corrected point within all limits, without alarm unless it is allowed."""
    limits = {column: _limit(front, column, limit) for column, limit in which.items()}
    if not limits:
        raise ValueError("Limits must name at least one column, got {}.")
    signs = np.array([-1.0 if is_higher_better(column, front.objectives) else 1.0 for column in limits])
    values = signs * front.table[list(limits)].to_numpy(dtype=np.float64)
    bounds = signs * np.array(list(limits.values()))
    for column, has_values in zip(limits, ~np.isnan(values).all(axis=0), strict=True):
        if not has_values:
            raise ValueError(f"Column {column!r} is still empty, so no limit on it can be checked.")
    within = (values <= bounds).all(axis=1)
    alarmed = alarm_mask(front)
    allowed = np.flatnonzero(within & (allow_alarm | ~alarmed))
    if len(allowed):
        return front.numbers[allowed[0]]
    if within.any():
        numbers = ", ".join(str(front.numbers[row]) for row in np.flatnonzero(within))
        raise ValueError(
            f"The over-correction alarm rings at every point with {_in_words(limits, signs)} ({numbers}). "
            "allow_alarm=True takes the least corrected of them."
        )
    raise ValueError(_describe_closest(front, limits, signs, values, bounds))


def _limit(front: FrontData, column: Any, limit: Any) -> float:
    table = front.table
    valid = [c for c in table.columns if pd.api.types.is_numeric_dtype(table[c]) and table[c].dtype != bool]
    if column not in valid:
        raise ValueError(f"Cannot limit {column!r}; choose from {valid}.")
    if isinstance(limit, bool) or not isinstance(limit, Real) or np.isnan(float(limit)):
        raise ValueError(f"The limit on {column!r} must be a number, got {limit!r}.")
    return float(limit)


def _in_words(limits: Mapping[str, float], signs: NDArray[np.float64]) -> str:
    sides = zip(limits.items(), signs, strict=True)
    return ", ".join(f"{column} {'<=' if sign > 0 else '>='} {limit:g}" for (column, limit), sign in sides)


def _describe_closest(
    front: FrontData,
    limits: Mapping[str, float],
    signs: NDArray[np.float64],
    values: NDArray[np.float64],
    bounds: NDArray[np.float64],
) -> str:
    """Describe the point that violates the limits least, in units of each column's range."""
    spread = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    excess = np.maximum(values - bounds, 0) / np.where(spread > 0, spread, 1)
    row = int(np.argmin(np.where(np.isnan(excess), np.inf, excess).sum(axis=1)))
    closest_values = ", ".join(
        f"{column} = {value:g}" for column, value in zip(limits, signs * values[row], strict=True)
    )
    return f"No point has {_in_words(limits, signs)}; the closest is point {front.numbers[row]} with {closest_values}."
