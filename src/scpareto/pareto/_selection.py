"""A point of a front, or a place between its points, looked up once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scpareto.pareto._axis import preference_of
from scpareto.pareto._find import check_not_empty, find
from scpareto.pareto._preferences import check_preferences

if TYPE_CHECKING:
    import torch

    from scpareto.pareto._find import Which
    from scpareto.pareto._front_data import FrontData

Place = float | Sequence[float] | NDArray[np.floating]
"""A place between points: importance of the nuisance, or of each objective."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Result of :meth:`scpareto.pareto.Front.resolve`.

    Parameters
    ----------
    number
        Number of the point, of the nearest one where the place lies between points.
    preference
        Importance of each objective there, shape ``(p,)``; NaN where the point has none.
    state
        Module weights.

    Examples
    --------
    A front with only the two extremes has nothing between them:

    >>> import torch
    >>> from scpareto.pareto import Front
    >>> front = Front(objectives=["generative_loss", "mmd"], method="scalarization")
    >>> for point, share in enumerate((0.0, 1.0)):
    ...     row = {"point": point, "preference_generative_loss": 1 - share, "preference_mmd": share}
    ...     front.add(row, {"w": torch.tensor([share])})
    >>> selection = front.resolve(preference=0.8)
    >>> selection.number, selection.preference.tolist(), selection.state["w"].item()
    (1, [0.0, 1.0], 1.0)
    """

    number: int
    preference: NDArray[np.float64]
    state: dict[str, torch.Tensor]


def resolve(
    front: FrontData,
    which: Which | None,
    preference: Place | None,
    batch_left: float | None = None,
    *,
    allow_alarm: bool = False,
) -> Selection:
    """Point or place with its weights, see :meth:`Front.resolve`."""
    given = {"which": which, "batch_left": batch_left, "preference": preference}
    named = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise TypeError(
            "Give either a point (number, rule or limits) or a place (batch_left=... or preference=...), got "
            f"{' and '.join(named) or 'neither'}."
        )
    if which is not None:
        return _of_point(front, find(front, which, allow_alarm=allow_alarm))
    check_not_empty(front)
    if batch_left is not None:
        place = preference_of(front, batch_left)
        if isinstance(place, int):
            return _of_point(front, place)
        importances = place
    else:
        importances = _importances(front.objectives, preference)
    nearest = _nearest(front, importances)
    nearest_preference = front.preferences[front.numbers.index(nearest)]
    if front.path is None or np.allclose(importances, nearest_preference, atol=1e-6):
        return _of_point(front, nearest)
    return Selection(nearest, importances, front.path.state(importances))


def point_at(front: FrontData, batch_left: float) -> int:
    """Return the number of the point nearest to the given batch left, in %."""
    check_not_empty(front)
    place = preference_of(front, batch_left)
    return place if isinstance(place, int) else _nearest(front, place)


def _of_point(front: FrontData, number: int) -> Selection:
    return Selection(number, front.preferences[front.numbers.index(number)], front.state(number))


def _importances(objectives: Sequence[str], place: Any) -> NDArray[np.float64]:
    """Check a place and return the importance of each objective, shape ``(p,)``."""
    # Arrays, tensors and numpy numbers become plain values.
    value = place.tolist() if hasattr(place, "tolist") else place
    if isinstance(value, Real) and not isinstance(value, bool):
        importance = _importance(objectives, value)
        return np.array([1 - importance, importance])
    if isinstance(value, Sequence) and not isinstance(value, str):
        try:
            row = np.asarray(value, dtype=np.float64).reshape(1, -1)
        except (TypeError, ValueError) as error:
            raise TypeError(f"preference={place!r} is no place: one number per objective is.") from error
        return check_preferences(row, len(objectives))[0]
    words = f"preference={place!r} is no place; give a float in [0, 1], or one number per objective."
    if isinstance(value, str | Mapping):
        words += f" Rules and limits go without the keyword, as in select({place!r})."
    raise TypeError(words)


def _importance(objectives: Sequence[str], place: Real) -> float:
    """Return the importance of the only other objective, in [0, 1]."""
    importance, p = float(place), len(objectives)
    if p != 2:
        raise ValueError(f"With {p} objectives a preference is a sequence of {p} numbers, got {importance!r}.")
    if not 0 <= importance <= 1:
        words = f"A preference must be in [0, 1], from uncorrected to strongest, got {importance!r}."
        if isinstance(place, Integral) and importance > 1:
            words += f" Point {int(place)} is select({int(place)})."
        raise ValueError(words)
    return importance


def _nearest(front: FrontData, importances: NDArray[np.float64]) -> int:
    """Point whose preference is nearest; of equals the extreme, then the less corrected."""
    preferences = front.preferences
    rows = np.flatnonzero(~np.isnan(preferences).any(axis=1))
    if not len(rows):
        raise ValueError(f"No point has a preference; choose by number from {front.numbers}.")
    distances = np.linalg.norm(preferences[rows] - importances, axis=1)
    nearest = rows[distances <= distances.min() + 1e-9]
    # The extremes share a preference with the first and last grid point: "uncorrected" means the extreme itself.
    extreme = front.table["kind"].to_numpy()[nearest] == "extreme"
    return front.numbers[nearest[np.argmax(extreme)]]
