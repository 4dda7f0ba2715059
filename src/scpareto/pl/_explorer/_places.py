"""Places of the slider: the points of a front and preferences between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import shares_of
from scpareto.pl._table import find_judged_plane
from scpareto.pl._titles import LEFT_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from scpareto.pareto import Front

_TOLERANCE = 1e-6


def make_places(front: Front, preferences: ArrayLike | None) -> list[int | float]:
    """Return the places of the slider: the points of a front and preferences between them, in order.

    Parameters
    ----------
    front
        The front.
    preferences
        Importances of the nuisance, each between 0 and 1; None for points only.

    Returns
    -------
    Numbers of the points (int) and preferences (float), from uncorrected to strongest; preferences of points are left
    out.

    Raises
    ------
    ValueError
        If preferences are given for points that were trained separately or for more than two objectives, are out of
        range, or equal the number of a point.
    """
    if preferences is None:
        return list(front.numbers)
    requested = np.atleast_1d(np.asarray(preferences, dtype=float))
    if front.path is None:
        raise ValueError(
            f"preferences: the points of this front were trained apart (method={front.method!r}), so that there is "
            "nothing between them; method='conditional' trains all preferences."
        )
    if len(front.objectives) != 2:
        raise ValueError(f"preferences: only a front of two objectives is a line; this one has {front.objectives}.")
    if requested.ndim != 1 or not np.all((requested >= 0) & (requested <= 1)):
        raise ValueError(f"preferences must be numbers between 0 and 1, got {preferences!r}.")
    preference_of_point = dict(
        zip(front.numbers, front.table[f"preference_{front.objectives[1]}"].astype(float), strict=True)
    )
    point_preferences = np.array(list(preference_of_point.values()))
    between = [round(float(t), 6) for t in np.unique(requested) if np.abs(point_preferences - t).min() > _TOLERANCE]
    if ambiguous := [t for t in between if t in preference_of_point]:
        raise ValueError(
            f"preferences: {ambiguous[0]} is also the number of another point on the slider; leave it out, or add the "
            "extreme point with this preference to points."
        )
    preference_of_place: dict[int | float, float] = {t: t for t in between}
    for number, preference in preference_of_point.items():
        preference_of_place[number] = preference
    return sorted(preference_of_place, key=lambda place: preference_of_place[place])


def spread_over_places(description: Mapping[str, Any], places: Sequence[int | float]) -> dict[str, Any]:
    """Extend the description of a front by places that were not judged.

    Parameters
    ----------
    description
        From :func:`describe_front`.
    places
        From :func:`make_places`.

    Returns
    -------
    The same entries with one value for each place, None if it was not judged; points have a further entry `judged`.
    """
    row = {point["number"]: i for i, point in enumerate(description["points"])}
    rows = [row[place] if isinstance(place, int) else None for place in places]

    def spread(values: Sequence[Any] | None, blank: Any = None) -> list[Any] | None:
        if values is None:
            return None
        return [blank if i is None else values[i] for i in rows] if len(values) else []

    points = [
        {"number": place, "name": "", "preference": "", "judged": False}
        if i is None
        else description["points"][i] | {"judged": True}
        for place, i in zip(places, rows, strict=True)
    ]
    return {
        "points": points,
        "selected": rows.index(description["selected"]),
        "recommended": None if description["recommended"] is None else rows.index(description["recommended"]),
        "metrics": [m | {key: spread(m[key]) for key in ("values", "low", "high")} for m in description["metrics"]],
        "plane": description["plane"] | {"kept": spread(description["plane"]["kept"], blank=False)},
        "alarm": spread(description["alarm"]),
    }


def describe_batch_left(front: Front, places: Sequence[int | float]) -> list[str]:
    """Describe the batch left at each place.

    Parameters
    ----------
    front
        The front.
    places
        From :func:`make_places`.

    Returns
    -------
    Texts, empty if unknown. For points they are the judged values; between points they come from the judged curve.
    """
    plane = find_judged_plane(front.table)
    if plane is None:
        return [""] * len(places)
    column = plane[0]
    suffix = f"% of the {column.removesuffix(LEFT_SUFFIX).replace('_', ' ')} left"
    left_of_point = dict(zip(front.numbers, front.table[column].astype(float), strict=True))
    curve = front.curve() if "curve" in front.tables else None
    if curve is not None and f"{column}_fit" not in curve:
        curve = None
    labels = []
    for place in places:
        if isinstance(place, int):
            labels.append(f"{round(left_of_point[place])} {suffix}" if np.isfinite(left_of_point[place]) else "")
        elif curve is None:
            labels.append("")
        else:
            share = float(shares_of([1 - place, place])[1])
            left = np.interp(share, curve["place"], curve[f"{column}_fit"])
            labels.append(f"about {round(float(left))} {suffix}")
    return labels
