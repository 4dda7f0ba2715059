from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import shares_of
from scpareto.pl._table import judged_plane
from scpareto.pl._titles import LEFT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from scpareto.pareto import Front

_SAME = 1e-6


def places_of(front: Front, preferences: ArrayLike | None) -> list[int | float]:
    """Order the points of a front and preferences between them.

    Parameters
    ----------
    front
        The front.
    preferences
        Importances of the nuisance, each between 0 and 1; None for the points alone.

    Returns
    -------
    Numbers of the points (int) and preferences (float), from uncorrected to strongest; a preference that a point has
    already is left out.

    Raises
    ------
    ValueError
        If preferences are given for points that were trained apart or for more than two objectives, lie outside, or
        cannot be told from the number of a point.
    """
    if preferences is None:
        return list(front.numbers)
    wanted = np.atleast_1d(np.asarray(preferences, dtype=float))
    if front.path is None:
        raise ValueError(
            f"preferences: the points of this front were trained apart (method={front.method!r}), so that there is "
            "nothing between them; method='conditional' trains all preferences."
        )
    if len(front.objectives) != 2:
        raise ValueError(f"preferences: only a front of two objectives is a line; this one has {front.objectives}.")
    if wanted.ndim != 1 or not np.all((wanted >= 0) & (wanted <= 1)):
        raise ValueError(f"preferences must be numbers between 0 and 1, got {preferences!r}.")
    known = dict(zip(front.numbers, front.table[f"preference_{front.objectives[1]}"].astype(float), strict=True))
    own = np.array(list(known.values()))
    between = [round(float(t), 6) for t in np.unique(wanted) if np.abs(own - t).min() > _SAME]
    if mistaken := [t for t in between if t in known]:
        raise ValueError(
            f"preferences: {mistaken[0]} is the number of another point of the slider; leave it out, or add the end of "
            "the front that it is to points."
        )
    where: dict[int | float, float] = {t: t for t in between}
    for number, preference in known.items():
        where[number] = preference
    return sorted(where, key=lambda place: where[place])


def with_places(facts: Mapping[str, Any], places: Sequence[int | float]) -> dict[str, Any]:
    """Make room for places that were not judged in the description of a front.

    Parameters
    ----------
    facts
        What :func:`describe_front` gives.
    places
        From :func:`places_of`.

    Returns
    -------
    The same entries with one value for each place, None where nobody has judged; points have a further entry `judged`.
    """
    row = {point["number"]: i for i, point in enumerate(facts["points"])}
    rows = [row[place] if isinstance(place, int) else None for place in places]

    def spread(values: Sequence[Any] | None, blank: Any = None) -> list[Any] | None:
        if values is None:
            return None
        return [blank if i is None else values[i] for i in rows] if len(values) else []

    points = [
        {"number": place, "name": "", "preference": "", "judged": False}
        if i is None
        else facts["points"][i] | {"judged": True}
        for place, i in zip(places, rows, strict=True)
    ]
    return {
        "points": points,
        "selected": rows.index(facts["selected"]),
        "recommended": None if facts["recommended"] is None else rows.index(facts["recommended"]),
        "metrics": [m | {key: spread(m[key]) for key in ("values", "low", "high")} for m in facts["metrics"]],
        "plane": facts["plane"] | {"kept": spread(facts["plane"]["kept"], blank=False)},
        "alarm": spread(facts["alarm"]),
    }


def left_along(front: Front, places: Sequence[int | float]) -> list[str]:
    """Say what is left of the batch at each place.

    Parameters
    ----------
    front
        The front.
    places
        From :func:`places_of`.

    Returns
    -------
    Words, empty where nothing is known. Points were judged; between them it is what the judged curve of the path says.
    """
    plane = judged_plane(front.table)
    if plane is None:
        return [""] * len(places)
    column = plane[0]
    what = f"% of the {column.removesuffix(LEFT).replace('_', ' ')} left"
    known = dict(zip(front.numbers, front.table[column].astype(float), strict=True))
    curve = front.curve() if "curve" in front.tables else None
    if curve is not None and f"{column}_fit" not in curve:
        curve = None
    words = []
    for place in places:
        if isinstance(place, int):
            words.append(f"{round(known[place])} {what}" if np.isfinite(known[place]) else "")
        elif curve is None:
            words.append("")
        else:
            share = float(shares_of([1 - place, place])[1])
            left = np.interp(share, curve["place"], curve[f"{column}_fit"])
            words.append(f"about {round(float(left))} {what}")
    return words
