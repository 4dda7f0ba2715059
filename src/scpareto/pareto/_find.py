"""Looking up a point of a front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from scpareto.pareto._preferences import check_preferences
from scpareto.pareto._rules import apply_rule, rule_names
from scpareto.pareto._table import GENERATIVE_LOSS, loss_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scpareto.pareto._front import Front

    Which = int | float | str | Sequence[float] | NDArray[np.floating] | Mapping[str, float]


def find(front: Front, which: Which) -> int:
    """Point number for every form of ``which``, see :meth:`Front.find`."""
    if not len(front):
        raise ValueError("The front has no points yet.")
    # Booleans are integers to Python, but no one means point 1 by True.
    if not isinstance(which, bool):
        for kind, lookup in _LOOKUPS:
            if isinstance(which, kind):
                return lookup(front, which)
    raise TypeError(
        f"Cannot look up a point by {which!r}; give a point number (int), a preference (float in [0, 1], or one number "
        f"per objective), a rule from {rule_names()}, or a dict of upper limits on columns."
    )


def as_preference(front: Front, which: Which) -> NDArray[np.float64] | None:
    """Return the importance of each objective if ``which`` is a preference; None if it names a point."""
    if isinstance(which, bool | Integral | str | Mapping):
        return None
    if isinstance(which, Real):
        importance = _importance(front, which)
        return np.array([1 - importance, importance])
    return check_preferences(np.asarray(which, dtype=np.float64).reshape(1, -1), len(front.objectives))[0]


def _by_number(front: Front, which: Any) -> int:
    number = int(which)
    if number not in front.numbers:
        raise ValueError(f"There is no point {number}; choose from {front.numbers}.")
    return number


def _by_nuisance_importance(front: Front, which: Any) -> int:
    importance = _importance(front, which)
    return _by_preference(front, [1 - importance, importance])


def _importance(front: Front, which: Any) -> float:
    """Return the importance of the only other objective, in [0, 1]."""
    importance = float(which)
    p = len(front.objectives)
    if p != 2:
        raise ValueError(f"With {p} objectives a preference is a sequence of {p} numbers, got {importance!r}.")
    if not 0 <= importance <= 1:
        raise ValueError(f"A preference must be in [0, 1], from uncorrected to strongest, got {importance!r}.")
    return importance


def _by_preference(front: Front, which: Any) -> int:
    # A float tensor or array of any shape becomes one row; wrong lengths are refused below.
    wanted = np.asarray(which, dtype=np.float64).reshape(1, -1)
    wanted = check_preferences(wanted, len(front.objectives))
    preferences = front.preferences
    known = np.flatnonzero(~np.isnan(preferences).any(axis=1))
    if not len(known):
        raise ValueError(f"No point has a preference; choose by number from {front.numbers}.")
    distances = np.linalg.norm(preferences[known] - wanted, axis=1)
    nearest = known[distances <= distances.min() + 1e-9]
    # The extremes share a preference with the ends of the grid: "uncorrected" means the extreme itself.
    extreme = front.table["kind"].to_numpy()[nearest] == "extreme"
    return front.numbers[nearest[np.argmax(extreme)]]


def _by_rule(front: Front, which: Any) -> int:
    return apply_rule(which, front)


def _by_limits(front: Front, which: Any) -> int:
    limits = {column: _limit(front, column, limit) for column, limit in which.items()}
    if not limits:
        raise ValueError("Limits must name at least one column, got {}.")
    values = front.table[list(limits)].to_numpy(dtype=np.float64)
    bounds = np.array(list(limits.values()))
    for column, known in zip(limits, ~np.isnan(values).all(axis=0), strict=True):
        if not known:
            raise ValueError(f"Column {column!r} is still empty, so no limit on it can be checked.")
    allowed = np.flatnonzero((values <= bounds).all(axis=1))
    if not len(allowed):
        raise ValueError(_closest(front, limits, values, bounds))
    losses = front.table[loss_columns([GENERATIVE_LOSS], "validation")[0]].to_numpy()[allowed]
    # Unknown losses come last; of equals the less corrected point.
    return front.numbers[allowed[np.argmin(np.where(np.isnan(losses), np.inf, losses))]]


def _limit(front: Front, column: Any, limit: Any) -> float:
    table = front.table
    valid = [c for c in table.columns if pd.api.types.is_numeric_dtype(table[c]) and table[c].dtype != bool]
    if column not in valid:
        raise ValueError(f"Cannot limit {column!r}; choose from {valid}.")
    if isinstance(limit, bool) or not isinstance(limit, Real) or np.isnan(float(limit)):
        raise ValueError(f"The limit on {column!r} must be a number, got {limit!r}.")
    return float(limit)


def _closest(
    front: Front, limits: Mapping[str, float], values: NDArray[np.float64], bounds: NDArray[np.float64]
) -> str:
    """Say which point misses the limits least, in units of each column's range."""
    spread = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    excess = np.maximum(values - bounds, 0) / np.where(spread > 0, spread, 1)
    row = int(np.argmin(np.where(np.isnan(excess), np.inf, excess).sum(axis=1)))
    wanted = ", ".join(f"{column} <= {limit:g}" for column, limit in limits.items())
    found = ", ".join(f"{column} = {value:g}" for column, value in zip(limits, values[row], strict=True))
    return f"No point has {wanted}; the closest is point {front.numbers[row]} with {found}."


_LOOKUPS: tuple[tuple[Any, Callable[[Front, Any], int]], ...] = (
    (Integral, _by_number),
    (Real, _by_nuisance_importance),
    (str, _by_rule),
    (Mapping, _by_limits),
    ((Sequence, np.ndarray, torch.Tensor), _by_preference),
)
