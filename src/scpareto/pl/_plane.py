"""A front in the plane of two of its columns: coordinates, masks, colours and recommendation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import non_dominated
from scpareto.pl._alarm import find_alarmed
from scpareto.pl._recommendation import Recommendation, get_recommendation
from scpareto.pl._sources import find_front, find_fronts, is_cells
from scpareto.pl._style import FRONT_LOOKS, MUTED, point_colors
from scpareto.pl._table import (
    as_table,
    check_columns,
    choose_default_plane,
    choose_markers,
    find_judged_plane,
    get_objectives,
    is_higher_better,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from scpareto.pl._sources import FrontLike, FrontSource


@dataclass(frozen=True)
class Plane:
    """A front in the plane of two of its columns."""

    name: str | None
    """Name of the front if there are several; otherwise None."""
    table: pd.DataFrame
    """Points with both values, one per row, ordered by number."""
    columns: tuple[str, str]
    higher: tuple[bool, bool]
    """Whether larger is better, for each axis."""
    xy: np.ndarray
    """Values, shape `(n, 2)`."""
    nondominated: np.ndarray
    """Mask of points that no other point of this front dominates, shape `(n,)`; see :func:`find_non_dominated`."""
    rings: np.ndarray
    """Mask of points whose over-correction alarm rings, shape `(n,)`."""
    colors: np.ndarray
    """RGBA, shape `(n, 4)`."""
    markers: np.ndarray
    """Matplotlib markers, shape `(n,)`."""
    line: dict[str, Any]
    """Colour and style of the line."""
    recommendation: Recommendation
    """Recommended point and sentence of the front."""
    judged: bool
    """Whether the front was judged in this plane."""

    @property
    def all_points(self) -> np.ndarray:
        """Mask of all points, shape `(n,)`."""
        return np.full(len(self.xy), True)

    @property
    def is_line(self) -> bool:
        """Whether the points have an order, which they have unless there are several nuisances."""
        return len(get_objectives(self.table)) <= 2

    @property
    def line_vertices(self) -> np.ndarray:
        """Vertices of the line, shape `(m, 2)`.

        In the judged plane these are the points in order, unless there are several nuisances; in other planes the
        border of the region that the non-dominated points dominate.
        """
        if self.judged:
            return self.xy if self.is_line else np.empty((0, 2))
        vertices = self.xy[self.nondominated]
        vertices = vertices[np.argsort(vertices[:, 0], kind="stable")]
        # between two points the border has the y of the point with the better x
        height = vertices[:-1, 1] if not self.higher[0] else vertices[1:, 1]
        steps = np.column_stack([vertices[1:, 0] if not self.higher[0] else vertices[:-1, 0], height])
        return np.vstack([vertices[:1], *(np.vstack([t, c]) for t, c in zip(steps, vertices[1:], strict=True))])


def name_fronts(
    fronts: FrontSource | Mapping[str, FrontSource] | Sequence[FrontSource], key: str | None = None
) -> dict[str | None, FrontLike | pd.DataFrame]:
    """Find one front or several, and name them.

    Parameters
    ----------
    fronts
        A front, its table, a model or an AnnData; or several, by name or in a list, which gives the names "front 1",
        "front 2" and so on.
    key
        Key of one front in an AnnData that stores several; by default all.

    Returns
    -------
    Fronts or tables by name; the name is None if a single front was given.

    Raises
    ------
    TypeError
        If an object is not a front.
    KeyError
        If an AnnData stores no front, or none under this key.
    ValueError
        If no front is given.
    """
    if isinstance(fronts, Mapping):
        named = {str(name): front for name, front in fronts.items()}
    elif isinstance(fronts, (list, tuple)):
        named = {f"front {i}": front for i, front in enumerate(fronts, start=1)}
    elif is_cells(fronts) and key is None and len(stored := find_fronts(fronts)) > 1:
        return {name: front for name, front in stored.items()}  # noqa: C416 - the keys may also be None
    else:
        return {None: find_front(fronts, key=key)}
    tables_by_name: dict[str | None, FrontLike | pd.DataFrame] = {}
    for name, front in named.items():
        tables_by_name[name] = find_front(front, key=key if is_cells(front) else None, name=name)
    if not tables_by_name:
        raise ValueError("front is empty: give at least one front.")
    return tables_by_name


def make_planes(
    fronts: Mapping[str | None, FrontLike | pd.DataFrame],
    x: str | None,
    y: str | None,
    higher_is_better: Collection[str],
) -> list[Plane]:
    """Show fronts in the plane of two columns.

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
        If an object is not a front.
    ValueError
        If a table has no points, a column cannot be drawn or no point of a front has both values.
    """
    tables = {name: as_table(front, name=name or "front") for name, front in fronts.items()}
    default = choose_default_plane(*tables.values())
    columns = (x or default[0], y or default[1])
    for table in tables.values():
        check_columns(table, [*columns, *higher_is_better])
    # an objective of one front is minimised in all of them
    higher = tuple(
        all(is_higher_better(table, column, higher_is_better=higher_is_better) for table in tables.values())
        for column in columns
    )
    return [
        _make_plane(name, table, columns, (higher[0], higher[1]), order, get_recommendation(fronts[name]))
        for order, (name, table) in enumerate(tables.items())
    ]


def _make_plane(
    name: str | None,
    table: pd.DataFrame,
    columns: tuple[str, str],
    higher: tuple[bool, bool],
    order: int,
    recommendation: Recommendation,
) -> Plane:
    xy = table[list(columns)].to_numpy(dtype=float)
    has_values = np.isfinite(xy).all(axis=1)
    if not has_values.any():
        of_front = "" if name is None else f" of {name!r}"
        raise ValueError(f"No point{of_front} has both {columns[0]!r} and {columns[1]!r}.")
    if name is None:
        colors, markers, line = (
            point_colors(table["point"].to_numpy()),
            choose_markers(table),
            {"color": MUTED, "ls": "-"},
        )
    else:
        look = FRONT_LOOKS[order % len(FRONT_LOOKS)]
        colors, markers = np.tile(look.rgba, (len(table), 1)), np.full(len(table), look.marker)
        line = {"color": look.color, "ls": look.dash}
    judged = set(columns) == set(find_judged_plane(table) or ())
    table, xy = table[has_values].reset_index(drop=True), xy[has_values]
    nondominated = find_non_dominated(table, columns, higher)
    return Plane(
        name,
        table,
        columns,
        higher,
        xy,
        nondominated,
        find_alarmed(table),
        colors[has_values],
        markers[has_values],
        line,
        recommendation,
        judged,
    )


def find_non_dominated(table: pd.DataFrame, columns: tuple[str, str], higher: tuple[bool, bool]) -> np.ndarray:
    """Find the points of a table that no other point dominates in a plane.

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
    Mask of these points, shape `(n,)`; points without both values are left out. In the plane in which the front was
    judged, its column `non_dominated` is used if it exists, which takes paired intervals into account. In other planes
    the values alone decide.
    """
    xy = table[list(columns)].to_numpy(dtype=float)
    has_values = np.isfinite(xy).all(axis=1)
    stored = table.get("non_dominated")
    if stored is not None and stored.dtype == bool and set(columns) == set(find_judged_plane(table) or ()):
        return has_values & stored.to_numpy()
    nondominated = np.zeros(len(table), dtype=bool)
    nondominated[has_values] = non_dominated(xy[has_values] * np.where(higher, -1.0, 1.0))
    return nondominated


def get_selected_points(planes: Sequence[Plane], selected: int | Mapping[str, int] | None) -> list[int | None]:
    """Return the selected point of each front.

    Parameters
    ----------
    planes
        The fronts.
    selected
        A point for every front; or points by the name of the front; or None for the models' selected points.

    Returns
    -------
    One point or None for each front.

    Raises
    ------
    ValueError
        If a name is not a front or a number is not a point.
    """
    if isinstance(selected, Mapping):
        names = [plane.name for plane in planes]
        unknown = [name for name in selected if name not in names]
        if unknown:
            valid = ", ".join(repr(name) for name in names if name is not None) or "none, as one front has no name"
            raise ValueError(f"selected names {', '.join(map(repr, unknown))}; valid fronts: {valid}.")
        selected_points = [None if plane.name is None else selected.get(plane.name) for plane in planes]
    else:
        selected_points = [selected] * len(planes)
    if selected is None:
        # the default raises no error if the point has no values in this plane
        inside = [plane.recommendation.selected in plane.table["point"].tolist() for plane in planes]
        return [
            plane.recommendation.selected if is_inside else None
            for plane, is_inside in zip(planes, inside, strict=True)
        ]
    for plane, point in zip(planes, selected_points, strict=True):
        points = plane.table["point"].tolist()
        if point is not None and point not in points:
            of_front = "this front" if plane.name is None else repr(plane.name)
            raise ValueError(f"selected={point!r} is not a point of {of_front} in this plane; points: {points}.")
    return selected_points
