"""What is drawn in a plane of two columns: coordinates, masks and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import non_dominated
from scpareto.pl._alarm import alarmed
from scpareto.pl._sources import front_in, fronts_noted, is_cells
from scpareto.pl._style import FRONT_LOOKS, MUTED, point_colors
from scpareto.pl._table import (
    as_table,
    default_plane,
    is_higher_better,
    judged_plane,
    markers_of,
    objectives_of,
    require,
)
from scpareto.pl._told import Told, told_of

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from scpareto.pl._sources import FrontLike, FrontSource


@dataclass(frozen=True)
class Plane:
    """A front seen in two of its columns."""

    name: str | None
    """What the front is called among several, or None when it is the only one."""
    table: pd.DataFrame
    """Points with both values, one per row, ordered by number."""
    columns: tuple[str, str]
    higher: tuple[bool, bool]
    """Whether larger is better, for each axis."""
    xy: np.ndarray
    """Values, shape `(n, 2)`."""
    nondominated: np.ndarray
    """Which points no other point of this front dominates, shape `(n,)`; see :func:`non_dominated_in`."""
    over: np.ndarray
    """Which points ring the over-correction alarm, shape `(n,)`."""
    colors: np.ndarray
    """RGBA, shape `(n, 4)`."""
    markers: np.ndarray
    """Matplotlib markers, shape `(n,)`."""
    line: dict[str, Any]
    """Colour and style of the line."""
    told: Told
    """What the front recommends."""
    judged: bool
    """Whether the plane is the one in which the front was judged."""

    @property
    def everything(self) -> np.ndarray:
        """A mask that keeps all points, shape `(n,)`."""
        return np.full(len(self.xy), True)

    @property
    def is_line(self) -> bool:
        """Whether points run from one end to another, as they do unless there are several nuisances."""
        return len(objectives_of(self.table)) <= 2

    @property
    def course(self) -> np.ndarray:
        """What a line is drawn through, shape `(m, 2)`.

        In the judged plane the points in order, unless there are several nuisances; in others the border of the region
        that the non-dominated points dominate.
        """
        if self.judged:
            return self.xy if self.is_line else np.empty((0, 2))
        corners = self.xy[self.nondominated]
        corners = corners[np.argsort(corners[:, 0], kind="stable")]
        # between two points the border keeps the y of the one with the better x
        before = corners[:-1, 1] if not self.higher[0] else corners[1:, 1]
        turns = np.column_stack([corners[1:, 0] if not self.higher[0] else corners[:-1, 0], before])
        return np.vstack([corners[:1], *(np.vstack([t, c]) for t, c in zip(turns, corners[1:], strict=True))])


def by_name(
    fronts: FrontSource | Mapping[str, FrontSource] | Sequence[FrontSource], key: str | None = None
) -> dict[str | None, FrontLike | pd.DataFrame]:
    """Name one front or several.

    Parameters
    ----------
    fronts
        A front, its table, a model or cells; or several, by name or in a list, which names them "front 1", "front 2"
        and so on.
    key
        Of cells, which of the fronts that they note; by default all.

    Returns
    -------
    Fronts or tables by name; the only name is None when one front was given by itself.

    Raises
    ------
    TypeError
        If something is no front.
    KeyError
        If cells note no front, or none of this name.
    ValueError
        If there is none.
    """
    if isinstance(fronts, Mapping):
        given = {str(name): front for name, front in fronts.items()}
    elif isinstance(fronts, (list, tuple)):
        given = {f"front {i}": front for i, front in enumerate(fronts, start=1)}
    elif is_cells(fronts) and key is None and len(noted := fronts_noted(fronts)) > 1:
        return {name: front for name, front in noted.items()}  # noqa: C416 - of wider keys
    else:
        return {None: front_in(fronts, key=key)}
    named: dict[str | None, FrontLike | pd.DataFrame] = {}
    for name, front in given.items():
        named[name] = front_in(front, key=key if is_cells(front) else None, name=name)
    if not named:
        raise ValueError("front is empty: give at least one front.")
    return named


def planes_of(
    fronts: Mapping[str | None, FrontLike | pd.DataFrame],
    x: str | None,
    y: str | None,
    higher_is_better: Collection[str],
) -> list[Plane]:
    """See fronts in the plane of two columns.

    Parameters
    ----------
    fronts
        Fronts or their tables by name, from :func:`by_name`.
    x, y
        Columns; by default those of :func:`default_plane`.
    higher_is_better
        Columns declared by the user.

    Returns
    -------
    One plane for each front.

    Raises
    ------
    TypeError
        If something is no front.
    ValueError
        If a table is no table of points, a column cannot be drawn or no point of a front has both values.
    """
    tables = {name: as_table(front, name=name or "front") for name, front in fronts.items()}
    default = default_plane(*tables.values())
    columns = (x or default[0], y or default[1])
    for table in tables.values():
        require(table, [*columns, *higher_is_better])
    # what one of the fronts minimised as its objective is minimised for all
    higher = tuple(
        all(is_higher_better(table, column, higher_is_better=higher_is_better) for table in tables.values())
        for column in columns
    )
    return [
        _plane(name, table, columns, (higher[0], higher[1]), order, told_of(fronts[name]))
        for order, (name, table) in enumerate(tables.items())
    ]


def _plane(
    name: str | None, table: pd.DataFrame, columns: tuple[str, str], higher: tuple[bool, bool], order: int, told: Told
) -> Plane:
    xy = table[list(columns)].to_numpy(dtype=float)
    kept = np.isfinite(xy).all(axis=1)
    if not kept.any():
        of = "" if name is None else f" of {name!r}"
        raise ValueError(f"No point{of} has both {columns[0]!r} and {columns[1]!r}.")
    if name is None:
        colors, markers, line = point_colors(table["point"].to_numpy()), markers_of(table), {"color": MUTED, "ls": "-"}
    else:
        look = FRONT_LOOKS[order % len(FRONT_LOOKS)]
        colors, markers = np.tile(look.rgba, (len(table), 1)), np.full(len(table), look.marker)
        line = {"color": look.color, "ls": look.dash}
    judged = set(columns) == set(judged_plane(table) or ())
    table, xy = table[kept].reset_index(drop=True), xy[kept]
    nondominated = non_dominated_in(table, columns, higher)
    return Plane(
        name, table, columns, higher, xy, nondominated, alarmed(table), colors[kept], markers[kept], line, told, judged
    )


def non_dominated_in(table: pd.DataFrame, columns: tuple[str, str], higher: tuple[bool, bool]) -> np.ndarray:
    """Find the points of a table that no other one dominates in a plane.

    Parameters
    ----------
    table
        Table of a front with `n` rows.
    columns
        The axes.
    higher
        Whether larger is better, for each axis.

    Returns
    -------
    Which points they are, shape `(n,)`; those without both values are not among them. In the plane in which the front
    was judged it is what its column `non_dominated` says, if there is one: beyond paired intervals. In others values
    alone decide.
    """
    xy = table[list(columns)].to_numpy(dtype=float)
    known = np.isfinite(xy).all(axis=1)
    said = table.get("non_dominated")
    if said is not None and said.dtype == bool and set(columns) == set(judged_plane(table) or ()):
        return known & said.to_numpy()
    nondominated = np.zeros(len(table), dtype=bool)
    nondominated[known] = non_dominated(xy[known] * np.where(higher, -1.0, 1.0))
    return nondominated


def points_chosen(planes: Sequence[Plane], selected: int | Mapping[str, int] | None) -> list[int | None]:
    """Read which point of each front is chosen.

    Parameters
    ----------
    planes
        The fronts.
    selected
        A point, for every front; or points by the name of the front; or None, for those that the models are in.

    Returns
    -------
    One point or None for each front.

    Raises
    ------
    ValueError
        If a name is no front or a number is no point.
    """
    if isinstance(selected, Mapping):
        names = [plane.name for plane in planes]
        unknown = [name for name in selected if name not in names]
        if unknown:
            valid = ", ".join(repr(name) for name in names if name is not None) or "none, as one front has no name"
            raise ValueError(f"selected names {', '.join(map(repr, unknown))}; valid fronts: {valid}.")
        chosen = [None if plane.name is None else selected.get(plane.name) for plane in planes]
    else:
        chosen = [selected] * len(planes)
    if selected is None:
        # a default is no mistake where the point has no values in this plane
        inside = [plane.told.selected in plane.table["point"].tolist() for plane in planes]
        return [plane.told.selected if is_in else None for plane, is_in in zip(planes, inside, strict=True)]
    for plane, point in zip(planes, chosen, strict=True):
        points = plane.table["point"].tolist()
        if point is not None and point not in points:
            of = "this front" if plane.name is None else repr(plane.name)
            raise ValueError(f"selected={point!r} is not a point of {of} in this plane; points: {points}.")
    return chosen
