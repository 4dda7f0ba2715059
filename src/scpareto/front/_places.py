"""Choose places on a path at equal steps of batch_left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pareto import find_place, fit_falling_curve

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

FIRST_PLACES = (0.0, 0.04, 0.08, 0.13, 0.2, 0.3, 0.45, 0.7, 1.0)
"""Places that are judged first, from 0 to 1: most of the batch effect is removed early on a path."""
_MIN_GAP = 0.01
"""No place is added to a gap shorter than twice this."""


def is_reduced(names: list[str], left: ArrayLike, differences: pd.DataFrame) -> bool:
    """Whether the lowest value along a path is below the first one beyond its confidence interval.

    Parameters
    ----------
    names
        Names of the places, in order along the path.
    left
        What is left at each place, shape ``(n,)``.
    differences
        Columns ``first``, ``second`` (names), ``low`` and ``high``: paired intervals of first less second.

    Examples
    --------
    >>> import pandas as pd
    >>> pairs = pd.DataFrame([("a", "b", 2.0, 4.0)], columns=["first", "second", "low", "high"])
    >>> is_reduced(["a", "b"], [5.0, 2.0], pairs), is_reduced(["a", "b"], [2.0, 5.0], pairs)
    (True, False)
    """
    lowest = names[int(np.asarray(left, dtype=np.float64).argmin())]
    if lowest == names[0]:
        return False
    pairs = differences[["first", "second", "low", "high"]].itertuples(index=False, name=None)
    intervals = {frozenset((first, second)): (first, low, high) for first, second, low, high in pairs}
    first, low, high = intervals[frozenset((names[0], lowest))]
    return bool(low > 0 if first == names[0] else high < 0)


def find_last_place(left: ArrayLike, margin: float) -> int:
    """Find the first place whose value is within a margin of the lowest one.

    Parameters
    ----------
    left
        What is left at each place, in order along the path, shape ``(n,)``.
    margin
        Difference that counts as none.

    Returns
    -------
    Its number. Places beyond it correct no further.

    Examples
    --------
    >>> find_last_place([40.0, 12.0, 2.5, 2.0, 6.0], margin=1.0)
    2
    """
    values = np.asarray(left, dtype=np.float64)
    return int(np.argmax(values <= values.min() + margin))


def choose_equal_steps(place: ArrayLike, left: ArrayLike, last: int, n: int) -> NDArray[np.float64]:
    """Choose places at equal steps of what is left, first and last place included.

    Parameters
    ----------
    place
        Judged places, from 0 to 1, ascending, shape ``(n_judged,)``.
    left
        What is left at each place, shape ``(n_judged,)``.
    last
        Number of the last place that is offered.
    n
        Number of places to choose.

    Returns
    -------
    Places, ascending, shape ``(n,)``; of places with equal values the first one.

    Examples
    --------
    Three quarters are removed within the first tenth of the path:

    >>> choose_equal_steps([0, 0.1, 0.5, 1], [100, 25, 0, 0], last=2, n=5).round(3).tolist()
    [0.0, 0.033, 0.067, 0.1, 0.5]
    """
    x, fitted = np.asarray(place, dtype=np.float64), fit_falling_curve(place, left)
    values = np.linspace(fitted[0], fitted[last], n)[1:-1]
    inner = [find_place(value, x[: last + 1], fitted[: last + 1]) for value in values]
    return np.concatenate([[0.0], inner, [x[last]]])


def choose_added_places(place: ArrayLike, left: ArrayLike, last: int, n: int, most: int) -> list[float]:
    """Find places where the curve decreases by more than one step between two judged places.

    Parameters
    ----------
    place, left
        Judged places, ascending, and what is left at each, shape ``(n_judged,)``.
    last
        Number of the last place that is offered.
    n
        Number of points that will be offered.
    most
        Largest number of places to add; the largest decreases come first.

    Returns
    -------
    Midpoints of the gaps, ascending.

    Examples
    --------
    >>> choose_added_places([0, 0.5, 1], [100, 10, 0], last=2, n=5, most=3)
    [0.25]
    """
    x, fitted = np.asarray(place, dtype=np.float64), fit_falling_curve(place, left)
    step = (fitted[0] - fitted[last]) / max(n - 1, 1)
    drops = -np.diff(fitted[: last + 1])
    gaps = np.flatnonzero((drops > step) & (np.diff(x[: last + 1]) > 2 * _MIN_GAP))
    gaps_to_split = gaps[np.argsort(-drops[gaps], kind="stable")][:most]
    return sorted(float((x[i] + x[i + 1]) / 2) for i in gaps_to_split)
