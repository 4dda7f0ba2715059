"""Quality indicators of a front: non-dominated points, hypervolume and number of distinct choices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pareto import _indicators
from scpareto.pareto._judged import is_judged, judged_non_dominated, judged_points
from scpareto.pareto._table import SPLITS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto._front_data import FrontData

JUDGED = "judged"
"""Plane of batch left and structure kept."""


class Indicators:
    """Indicators of :class:`scpareto.pareto.Front`."""

    def non_dominated(self: FrontData, plane: str | None = None) -> NDArray[np.bool_]:
        """Which points no other point beats, shape ``(n,)``.

        Parameters
        ----------
        plane
            ``"judged"``: a point is beaten by one that leaves no more of the batch and keeps no less structure, and is
            better in one of them by more than their paired interval. ``"train"``, ``"validation"`` or ``"test"``: by
            the losses of all objectives on these cells, as published, whatever their uncertainty. None for
            ``"judged"``, or for ``"test"`` where nothing was judged. Points without values are not among them.
        """
        plane = _plane(self, plane)
        if plane == JUDGED:
            return judged_non_dominated(self)
        losses = self.points(plane)
        complete = np.flatnonzero(~np.isnan(losses).any(axis=1))
        keep = np.zeros(len(losses), dtype=bool)
        keep[complete] = _indicators.non_dominated(losses[complete])
        return keep

    def hypervolume(
        self: FrontData, reference: ArrayLike | None = None, plane: str | None = None, *, scaled: bool = False
    ) -> float:
        """Volume between the points and a reference point.

        Volumes of several fronts compare only with one common reference.

        Parameters
        ----------
        reference
            By default 100 % of the batch left and none of the structure kept in the judged plane, and just beyond the
            largest losses of this front in others.
        plane
            As for :meth:`non_dominated`. In the judged plane the volume is one of percent left and percent lost.
        scaled
            Standardise losses as :meth:`points` does.
        """
        plane = _plane(self, plane)
        points = _known(self, plane, scaled)
        if not len(points):
            return 0.0
        if reference is None:
            reference = [100.0, 100.0] if plane == JUDGED else points.max(axis=0) + _indicators.MARGIN
        return _indicators.hypervolume(points, reference)

    def number_of_distinct_choices(
        self: FrontData, width: float = 0.05, plane: str | None = None, *, scaled: bool = True
    ) -> int:
        """Count the grid cells of the given width that hold a non-dominated point.

        Parameters
        ----------
        width
            In units of standardised losses; in the judged plane, of all that there is to remove and to keep.
        plane, scaled
            As for :meth:`hypervolume`.
        """
        plane = _plane(self, plane)
        points = _known(self, plane, scaled)
        return _indicators.number_of_distinct_choices(points / 100 if plane == JUDGED else points, width)


def _plane(front: FrontData, plane: str | None) -> str:
    if plane is None:
        return JUDGED if is_judged(front) else "test"
    if plane not in (JUDGED, *SPLITS):
        raise ValueError(f"Unknown plane {plane!r}; choose from {[JUDGED, *SPLITS]}.")
    return plane


def _known(front: FrontData, plane: str, scaled: bool) -> NDArray[np.float64]:
    points = judged_points(front) if plane == JUDGED else front.points(plane, scaled=scaled)
    return points[~np.isnan(points).any(axis=1)]
