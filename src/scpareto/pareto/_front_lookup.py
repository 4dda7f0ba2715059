"""Lookups in a front: points, places, the recommended point, the judged curve and lost differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pareto._attainable import range_in_words
from scpareto.pareto._auto import recommend
from scpareto.pareto._axis import curve_table
from scpareto.pareto._composition import advice_on_composition
from scpareto.pareto._find import check_not_empty, check_point, find
from scpareto.pareto._judged import alarm_in_words, left_column, paired_intervals
from scpareto.pareto._selection import Selection, point_at, resolve
from scpareto.pareto._steps import falling_steps
from scpareto.pareto._sweep import failed_in_words, value_in_words

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.pareto._find import Which
    from scpareto.pareto._front_data import FrontData
    from scpareto.pareto._selection import Place


class Lookup:
    """Lookups of :class:`scpareto.pareto.Front`."""

    selected: int | None = None
    """Number of the point that is loaded into the model, if a model holds the front."""

    def find(
        self: FrontData, which: Which | None = None, *, batch_left: float | None = None, allow_alarm: bool = False
    ) -> int:
        """Look up a point.

        Parameters
        ----------
        which
            An integer is a point number. A string is a rule: ``"auto"``, the recommended point, see :meth:`explain`, or
            ``"knee"``, of the validation losses. A dict holds limits on columns in their better direction, for example
            ``{"batch_left": 5}`` (at most) or ``{"structure_kept": 95}`` (at least); of the points within all of them,
            the least corrected one is taken. Rules and limits take no point whose over-correction alarm rings.
        batch_left
            A place instead: what may be left of the batch, in %. The point nearest to it is taken.
        allow_alarm
            Whether limits may take a point whose alarm rings.

        Returns
        -------
        Number of the point.

        Raises
        ------
        ValueError
            If there is no such point.
        TypeError
            If ``which`` is of another type, or not exactly one of the two is given: a place between the points is
            ``batch_left`` or ``preference`` of :meth:`resolve`.
        """
        if batch_left is None:
            return find(self, which, allow_alarm=allow_alarm)  # type: ignore[arg-type]
        if which is not None:
            raise TypeError(f"Give either which={which!r} or batch_left={batch_left!r}, not both.")
        return point_at(self, batch_left)

    def resolve(
        self: FrontData,
        which: Which | None = None,
        *,
        batch_left: float | None = None,
        preference: Place | None = None,
        allow_alarm: bool = False,
    ) -> Selection:
        """Look up a point, or a place between points, and its weights.

        Parameters
        ----------
        which
            A point: number, rule or limits, see :meth:`find`.
        batch_left
            A place instead: what may be left of the batch, in %. On a path it is the least corrected place that leaves
            no more, by :meth:`curve`; otherwise the nearest point.
        preference
            A place instead. A float in [0, 1] is the importance of the nuisance, 0 uncorrected and 1 strongest; with
            more than two objectives a sequence says the importance of each. Where there is a ``path`` it is taken
            exactly, otherwise the point with the nearest preference is taken, of equals the extreme, then the less
            corrected.
        allow_alarm
            Whether limits may take a point whose over-correction alarm rings.

        Returns
        -------
        Number of the point or of the nearest one, preference and weights.

        Raises
        ------
        ValueError
            If there is no such point or place.
        TypeError
            If not exactly one of them is given, or one is of another type.
        KeyError
            If the point has no weights.

        Examples
        --------
        >>> import torch
        >>> from scpareto.pareto import Front, WeightPath
        >>> states = [{"w": torch.tensor([value])} for value in (0.0, 1.0, 4.0)]
        >>> front = Front(objectives=["generative_loss", "mmd"], path=WeightPath(states[0], states[1:]))
        >>> for point, share in enumerate((0.0, 0.5, 1.0)):
        ...     front.add({"point": point, "preference_generative_loss": 1 - share, "preference_mmd": share})
        >>> front.resolve(1).preference.tolist()
        [0.5, 0.5]
        >>> selection = front.resolve(preference=0.6)
        >>> selection.number, round(selection.state["w"].item(), 2)
        (1, 1.65)
        """
        return resolve(self, which, preference, batch_left, allow_alarm=allow_alarm)

    @property
    def recommended(self: FrontData) -> int:
        """Number of the point that is recommended without labels, see :meth:`explain`."""
        return recommend(self).number

    def explain(self: FrontData) -> str:
        """Say in words which point is recommended without labels, and why.

        It is the one that the rule ``"auto"`` picks: the least corrected point of which it is certain that no point
        without over-correction alarm leaves less of the batch, by more than the judge can tell. Where the front was not
        judged, it is the knee of the losses, or the least corrected point.

        Returns
        -------
        A paragraph with the figures that decided, and from where to where the front goes. Where batches hold unlike
        cells, it ends with what to do about that.

        Raises
        ------
        ValueError
            If the front has no points.
        """
        check_not_empty(self)
        return " ".join(
            filter(
                None,
                [
                    recommend(self).reason,
                    range_in_words(self),
                    advice_on_composition(self),
                    _describe_sweep(self),
                    _describe_data_module(self),
                ],
            )
        )

    def curve(self: FrontData) -> pd.DataFrame:
        """Judged places along the path of one training.

        Returns
        -------
        One row per place: ``place``, the share of the way; the preference there; ``batch_left`` and ``structure_kept``
        in % with 95 % intervals (``_low``, ``_high``); the generative loss on each part of the cells, in nats; and
        ``batch_left_fit``, which falls up to the least value and stays there: what ``batch_left=`` looks up.

        Raises
        ------
        ValueError
            If there is no judged path: points were trained apart, or there was nothing to judge.
        """
        return curve_table(self)

    def lost(self: FrontData, point: int | None = None, *, all_contrasts: bool = False) -> pd.DataFrame:
        """Differences between groups of cells that points have lost against the least corrected one.

        Parameters
        ----------
        point
            Number of a point; None for all.
        all_contrasts
            Whether to list differences that did not ring the alarm, too.

        Returns
        -------
        One row per difference and point, the largest loss first, see :class:`scpareto.metrics.LostContrasts`.

        Raises
        ------
        ValueError
            If there is no such point, or the front was not judged.
        """
        table = self.tables.get("lost")
        if table is None:
            raise ValueError("The front holds no judged differences between cells; audit() looks for them.")
        names = {f"point {number}": number for number in self.numbers}
        table = table[table["embedding"].isin(list(names))]
        table = table.assign(point=table["embedding"].map(names)).drop(columns="embedding")
        if point is not None:
            table = table[table["point"] == check_point(self, point)]
        if not all_contrasts:
            table = table[table["rings"]]
        return table.sort_values("lost", ascending=False, ignore_index=True)

    def warning(self: FrontData, number: int) -> str:
        """Return what a user must know who takes a point whose over-correction alarm rings; empty for others."""
        return alarm_in_words(self, check_point(self, number))

    def steps(self: FrontData, column: str | None = None) -> list[int]:
        """Points along which a stronger correction certainly means a lower value: a slider that can be trusted.

        This is the longest chain of points, from weak to strong correction, of which each lies below the one before it
        by more than chance allows.

        Parameters
        ----------
        column
            A column with ``<column>_low`` and ``<column>_high``, its 95 % interval. None for what is left of the batch,
            whose differences have paired intervals.

        Returns
        -------
        Numbers of the points, rising.

        Raises
        ------
        KeyError
            If there is no such column, or no interval for it.
        """
        column = left_column(self) if column is None else column
        ends = [f"{column}_low", f"{column}_high"]
        for name in (column, *ends):
            if name not in self.table:
                with_intervals = [c for c in self.table if {f"{c}_low", f"{c}_high"} <= set(self.table)]
                raise KeyError(f"The front has no column {name!r}; columns with intervals are {with_intervals}.")
        low, high = (self.table[name].to_numpy(dtype=np.float64) for name in ends)
        is_left = column == left_column(self) and "differences" in self.tables
        certain = paired_intervals(self, "left")[0] > 0 if is_left else None
        chain = falling_steps(self.table[column].to_numpy(dtype=np.float64), (high - low) / 2, certain)
        return [self.numbers[place] for place in chain]


def _describe_data_module(front: FrontData) -> str:
    """Describe the cells of a data module on which points were judged; empty for other fronts."""
    record = front.metadata.get("data_module")
    if record is None:
        return ""
    n_held, total = record["n_held"], sum(record["n_cells"].values())
    sentence = f"The front was trained from a data module of {total:,} cells and judged on "
    if not front.metadata.get("judged", {}).get("held_out", True):
        n_judged = sum(n_held.values())
        return f"{sentence}the {n_judged:,} that are held in memory, training cells included: too few others are held."
    return (
        f"{sentence}{n_held['test']:,} of them, which were not used for training. {n_held['validation']:,} other cells "
        "decided when to stop."
    )


def _describe_sweep(front: FrontData) -> str:
    """List the values of a sweep and those that failed; empty for other fronts."""
    if not value_in_words(front, front.numbers[0]):
        return ""
    points_in_words = ", ".join(f"point {number} {value_in_words(front, number)}" for number in front.numbers)
    failed = failed_in_words(front)
    return f"{points_in_words[0].upper()}{points_in_words[1:]}." + (f" Failed at {failed}" if failed else "")
