"""The axis that users choose on: batch left, in percent."""

from __future__ import annotations

import logging
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from scpareto._constants import BATCH_LEFT
from scpareto.pareto._judged import left_column
from scpareto.pareto._path import preference_at

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto._front_data import FrontData

logger = logging.getLogger("scpareto")


def fit_falling_curve(place: ArrayLike, left: ArrayLike) -> NDArray[np.float64]:
    """Fit a curve that falls up to the minimum of the values and is constant after it.

    Parameters
    ----------
    place
        Places on the path from 0 to 1, ascending, shape ``(n,)``.
    left
        Batch left at each place, shape ``(n,)``.

    Returns
    -------
    Fitted values, shape ``(n,)``, by isotonic regression up to the place of the minimum.

    Examples
    --------
    >>> fit_falling_curve([0, 0.1, 0.5, 1], [10, 4, 5, 8]).tolist()
    [10.0, 4.0, 4.0, 4.0]
    """
    x, y = np.asarray(place, dtype=np.float64), np.asarray(left, dtype=np.float64)
    lowest = int(y.argmin())
    fitted = np.full(len(y), y[lowest])
    fitted[: lowest + 1] = IsotonicRegression(increasing=False).fit_transform(x[: lowest + 1], y[: lowest + 1])
    fitted[lowest:] = fitted[lowest]
    return fitted


def find_place(value: float, place: NDArray[np.float64], fitted: NDArray[np.float64]) -> float:
    """Return the first place where a falling fit reaches a value, by linear interpolation between judged places.

    Examples
    --------
    >>> find_place(5.0, np.array([0.0, 0.2, 1.0]), np.array([10.0, 0.0, 0.0]))
    0.1
    """
    after = int(np.argmax(fitted <= value)) if (fitted <= value).any() else len(fitted) - 1
    if after == 0:
        return float(place[0])
    before = after - 1
    drop = fitted[before] - fitted[after]
    share = 1.0 if drop <= 0 else (fitted[before] - value) / drop
    return float(place[before] + share * (place[after] - place[before]))


def preference_of(front: FrontData, batch_left: Any) -> int | NDArray[np.float64]:
    """Return the preference that leaves this much of the batch, shape ``(p,)``, or a point number without a curve.

    Raises
    ------
    ValueError
        If the front does not trade the batch alone, was not judged, or does not reach the value.
    TypeError
        If the value is no number.
    """
    if isinstance(batch_left, bool) or not isinstance(batch_left, Real):
        raise TypeError(f"batch_left={batch_left!r} is no number: give what may be left of the batch, in %.")
    value = float(batch_left)
    curve, record = front.tables.get("curve"), front.metadata.get("judged", {})
    if len(front.objectives) != 2 or left_column(front) != BATCH_LEFT or not front.metadata.get("on_axis", True):
        raise ValueError(
            f"batch_left={value:g}: this front trades {', '.join(front.objectives[1:])}, not the batch alone. Choose a "
            "place by preference=, as in select(preference=0.5)."
        )
    left_of_points = front.table.get(BATCH_LEFT)
    if left_of_points is None or not left_of_points.notna().any():
        reason = "there is no batch effect to remove" if record.get("no_batch_effect") else "the front was not judged"
        raise ValueError(
            f"batch_left={value:g}: {reason}. Choose a place by preference=, as in select(preference=0.5)."
        )
    if curve is None or front.path is None:
        rows = np.flatnonzero(left_of_points.notna())
        row = int(rows[np.abs(left_of_points.to_numpy()[rows] - value).argmin()])
        _check_reached(value, float(left_of_points.min()), float(left_of_points.max()))
        number = front.numbers[row]
        logger.info(
            "Points were trained apart: the nearest is point %d, with %.1f %% left.", number, left_of_points.iloc[row]
        )
        return number
    place, fitted = curve["place"].to_numpy(), fit_falling_curve(curve["place"], curve[BATCH_LEFT])
    _check_reached(value, float(fitted.min()), float(fitted.max()))
    share = find_place(value, place, fitted)
    return preference_at([1 - share, share])


def _check_reached(value: float, lowest: float, highest: float) -> None:
    # Users see rounded limits, which must be accepted.
    if not lowest - 0.51 <= value <= highest + 0.51:
        raise ValueError(
            f"batch_left={value:g} is not reached: this front goes from {highest:.0f} % at the least corrected end to "
            f"{lowest:.0f} %."
        )


def curve_table(front: FrontData) -> pd.DataFrame:
    """Judged places along the path, with the falling fit; see :meth:`scpareto.pareto.Front.curve`."""
    curve = front.tables.get("curve")
    if curve is None:
        raise ValueError("The front has no judged path: its points were trained apart, or could not be judged.")
    table = curve.copy()
    column = left_column(front)
    if column in table and table[column].notna().all():
        table[f"{column}_fit"] = fit_falling_curve(table["place"], table[column])
    return table
