"""A whole trade-off curve as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._constants import GENERATIVE_LOSS
from scpareto.pareto import _indicators, _plain
from scpareto.pareto._auto import reasons
from scpareto.pareto._find import find, numbered
from scpareto.pareto._path import WeightPath
from scpareto.pareto._scaler import Scaler
from scpareto.pareto._selection import Selection, resolve
from scpareto.pareto._steps import falling_steps
from scpareto.pareto._table import loss_columns, preference_columns, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto._find import Which
    from scpareto.pareto._selection import Place


@dataclass(eq=False, repr=False)
class Front:
    """Every trained point: its preference, losses, audit and weights.

    Points are numbered from uncorrected (0) to most strongly corrected. A front may be incomplete.

    Parameters
    ----------
    table
        One row per point. Missing standard columns are added as NaN, further columns are kept, and ``non_dominated``
        always refers to the test losses.
    states
        Module weights of each point, on CPU; those that lie on the ``path`` need none.
    objectives
        Names of the objectives, ``"generative_loss"`` first.
    method
        Name of the solver.
    metadata
        Anything else worth keeping, as plain values and tensors: arguments, seed, versions, scaler, split indices.
    n_expected
        Number of points of the complete front, if known.
    path
        Weights of all preferences, if one training learnt them; points without weights of their own lie on it.
    structures
        What each point keeps of differences between cells, by number, see :class:`scpareto.audit.Structure`: with it a
        further point is compared with the others without encoding them again.

    Examples
    --------
    >>> front = Front(objectives=["generative_loss", "mine"], method="scalarization", n_expected=2)
    >>> front.add({"point": 0, "kind": "extreme", "generative_loss_test": 330.0, "mine_test": 1.5})
    >>> front
    Front of generative_loss, mine by scalarization: 1 of 2 points, 1 non-dominated (test)
    """

    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"point": []}))
    states: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)
    objectives: list[str] = field(default_factory=lambda: [GENERATIVE_LOSS])
    method: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    n_expected: int | None = None
    path: WeightPath | None = None
    structures: dict[int, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.objectives = list(self.objectives)
        if len(self.objectives) < 2 or self.objectives[0] != GENERATIVE_LOSS:
            raise ValueError(f"objectives must be {GENERATIVE_LOSS!r} and at least one more, got {self.objectives}.")
        self._set_table(self.table)
        self.states = {int(point): _on_cpu(state) for point, state in self.states.items()}

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        count = f"{len(self)} points" if self.n_expected is None else f"{len(self)} of {self.n_expected} points"
        names = ", ".join(self.objectives)
        return f"Front of {names} by {self.method}: {count}, {self.non_dominated().sum()} non-dominated (test)"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.table.to_html(index=False, na_rep='')}"

    @property
    def numbers(self) -> list[int]:
        """Numbers of the points, ascending."""
        return [int(point) for point in self.table["point"]]

    @property
    def missing(self) -> list[int]:
        """Numbers of the points that a complete front would have as well."""
        return sorted(set(range(self.n_expected or 0)) - set(self.numbers))

    @property
    def preferences(self) -> NDArray[np.float64]:
        """Preference of each point, shape ``(n, p)``; NaN where it has none."""
        return self.table[preference_columns(self.objectives)].to_numpy(dtype=np.float64)

    @property
    def scaler(self) -> Scaler | None:
        """Scaler with which the front was trained, from ``metadata["scaler"]``."""
        plain = self.metadata.get("scaler")
        return None if plain is None else Scaler.from_plain(plain)

    def add(self, row: Mapping[str, Any], state: Mapping[str, torch.Tensor] | None = None) -> None:
        """Add a point.

        Parameters
        ----------
        row
            Values of its columns; ``"point"`` is needed.
        state
            Module weights, copied to CPU.

        Raises
        ------
        ValueError
            If the point is already there.
        """
        self._set_table(pd.DataFrame([*self.table.to_dict("records"), dict(row)]))
        if state is not None:
            self.states[int(row["point"])] = _on_cpu(state)

    def update(self, point: int, values: Mapping[str, Any]) -> None:
        """Set columns of a point, for example after an audit; new columns are NaN elsewhere."""
        number = numbered(self, point)
        if "point" in values:
            raise ValueError(f"A point keeps its number, got {values['point']!r} for point {number}.")
        rows: list[dict[Any, Any]] = self.table.to_dict("records")
        self._set_table(pd.DataFrame([{**row, **values} if row["point"] == number else row for row in rows]))

    def state(self, number: int) -> dict[str, torch.Tensor]:
        """Return the module weights of a point, its own or those of its place on the ``path``.

        Raises
        ------
        ValueError
            If there is no such point.
        KeyError
            If there are no weights.
        """
        number = numbered(self, number)
        if number in self.states:
            return self.states[number]
        if self.path is not None:
            return self.path.state(self.preferences[self.numbers.index(number)])
        raise KeyError(f"Point {number} has no weights; points with weights are {sorted(self.states)}.")

    def find(self, which: Which) -> int:
        """Look up a point.

        Parameters
        ----------
        which
            An integer is a point number. A string is a rule: ``"knee"``, on validation losses, or ``"auto"``: of the
            points without over-correction alarm, the one whose posterior means leak least; see :meth:`explain`. A dict
            holds upper limits on columns; of the points within all of them, the one with the lowest generative loss on
            validation cells is taken.

        Returns
        -------
        Number of the point.

        Raises
        ------
        ValueError
            If there is no such point.
        TypeError
            If ``which`` is of another type: a place between the points is the ``preference`` of :meth:`resolve`.
        """
        return find(self, which)

    def resolve(self, which: Which | None = None, *, preference: Place | None = None) -> Selection:
        """Look up a point, or a place between points, and its weights.

        Parameters
        ----------
        which
            A point: number, rule or limits, see :meth:`find`.
        preference
            A place instead. A float in [0, 1] is the importance of the nuisance, 0 uncorrected and 1 strongest; with
            more than two objectives a sequence says the importance of each. Where there is a ``path`` it is taken
            exactly, otherwise the point with the nearest preference is taken, of equals the extreme, then the less
            corrected.

        Returns
        -------
        Number of the point or of the nearest one, preference and weights.

        Raises
        ------
        ValueError
            If there is no such point or place.
        TypeError
            If not exactly one of the two is given, or one is of another type.
        KeyError
            If the point has no weights.

        Examples
        --------
        >>> import torch
        >>> from scpareto.pareto import Front, WeightPath
        >>> ends = [{"w": torch.tensor([value])} for value in (0.0, 1.0, 4.0)]
        >>> front = Front(objectives=["generative_loss", "mmd"], path=WeightPath(ends[0], ends[1:]))
        >>> for point, share in enumerate((0.0, 0.5, 1.0)):
        ...     front.add({"point": point, "preference_generative_loss": 1 - share, "preference_mmd": share})
        >>> front.resolve(1).preference.tolist()
        [0.5, 0.5]
        >>> found = front.resolve(preference=0.6)
        >>> found.number, round(found.state["w"].item(), 2)
        (1, 1.65)
        """
        return resolve(self, which, preference)

    def explain(self) -> str:
        """Say in words which point the rule ``"auto"`` picks without labels, and why.

        Returns
        -------
        A paragraph with the figures that decided: leakage with its interval, points with an over-correction alarm, and
        retention.

        Raises
        ------
        ValueError
            If the front has no audited point.
        """
        return reasons(self)

    def steps(self, column: str = "leakage_mean") -> list[int]:
        """Points along which a stronger correction certainly means a lower value: a slider that can be trusted.

        Neighbouring points of a front often differ by less than the noise of their trainings. This is the longest chain
        of points, from weak to strong correction, of which each lies below the one before it by more than their
        intervals allow for chance.

        Parameters
        ----------
        column
            A column with ``<column>_low`` and ``<column>_high``, its 95 % interval.

        Returns
        -------
        Numbers of the points, rising.

        Raises
        ------
        KeyError
            If there is no such column, or no interval for it.
        """
        ends = [f"{column}_low", f"{column}_high"]
        for name in (column, *ends):
            if name not in self.table:
                known = [c for c in self.table if {f"{c}_low", f"{c}_high"} <= set(self.table)]
                raise KeyError(f"The front has no column {name!r}; columns with intervals are {known}.")
        low, high = (self.table[name].to_numpy(dtype=np.float64) for name in ends)
        chain = falling_steps(self.table[column].to_numpy(dtype=np.float64), (high - low) / 2)
        return [self.numbers[place] for place in chain]

    def only(self, points: Sequence[int]) -> Front:
        """Front of some of the points, for example of :meth:`steps`, with their weights.

        Raises
        ------
        ValueError
            If there is no point with such a number.
        """
        numbers = [numbered(self, point) for point in points]
        table = self.table[self.table["point"].isin(numbers)]
        states = {n: self.states[n] for n in numbers if n in self.states}
        structures = {n: self.structures[n] for n in numbers if n in self.structures}
        return Front(table, states, self.objectives, self.method, self.metadata, path=self.path, structures=structures)

    def to_dataframe(self) -> pd.DataFrame:
        """Copy of the table."""
        return self.table.copy()

    def points(
        self, split: str = "test", points: Sequence[int] | None = None, *, scaled: bool = False
    ) -> NDArray[np.float64]:
        """Losses of the objectives, shape ``(n, p)``, NaN where unknown.

        Parameters
        ----------
        split
            ``"train"``, ``"validation"`` or ``"test"``.
        points
            Numbers of the points, in the order wanted; by default all.
        scaled
            Standardise, by the scaler of the front or, if it has none, by the extent of its known points.
        """
        losses = self.table[loss_columns(self.objectives, split)].to_numpy(dtype=np.float64, copy=True)
        if scaled:
            scaler = self.scaler
            known = losses[~np.isnan(losses).any(axis=1)]
            if scaler is None and len(known):
                extent = np.ptp(known, axis=0)
                low = known.min(axis=0)
                scaler = Scaler("extent", low, low + np.where(extent > 0, extent, np.maximum(1, np.abs(low))))
            losses = losses if scaler is None else scaler.scale(losses)
        if points is None:
            return losses
        return losses[[self.numbers.index(numbered(self, point)) for point in points]]

    def non_dominated(self, split: str = "test") -> NDArray[np.bool_]:
        """Which points no other point beats, shape ``(n,)``; points with unknown losses are not among them."""
        losses = self.points(split)
        known = np.flatnonzero(~np.isnan(losses).any(axis=1))
        keep = np.zeros(len(losses), dtype=bool)
        keep[known] = _indicators.non_dominated(losses[known])
        return keep

    def hypervolume(self, reference: ArrayLike | None = None, split: str = "test", *, scaled: bool = False) -> float:
        """Volume between the points and a reference point, by default just beyond the largest losses of this front.

        Volumes of several fronts compare only with one common reference.
        """
        losses = self._known(split, scaled)
        if not len(losses):
            return 0.0
        return _indicators.hypervolume(
            losses, losses.max(axis=0) + _indicators.MARGIN if reference is None else reference
        )

    def number_of_distinct_choices(self, width: float = 0.05, split: str = "test", *, scaled: bool = True) -> int:
        """Count the grid cells of the given width that hold a non-dominated point; ``scaled`` as in :meth:`points`."""
        return _indicators.number_of_distinct_choices(self._known(split, scaled), width)

    def to_plain(self) -> dict[str, Any]:
        """Tensors and plain values only, safe to load; :meth:`from_plain` rebuilds an equal front.

        Raises
        ------
        TypeError
            If ``metadata`` or a further column holds something without a plain form.
        """
        return {
            "table": _plain.table_to_plain(self.table),
            "states": _plain.to_plain(self.states, "states"),
            "objectives": list(self.objectives),
            "method": self.method,
            "metadata": _plain.to_plain(self.metadata, "metadata"),
            "n_expected": self.n_expected,
            "path": None if self.path is None else self.path.to_plain(),
            "structures": _plain.to_plain(self.structures, "structures"),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Front:
        """Rebuild from :meth:`to_plain`."""
        path = plain.get("path")
        further = {"table": _plain.table_from_plain(plain["table"]), "path": path and WeightPath.from_plain(path)}
        return cls(**{**plain, **further})

    def _known(self, split: str, scaled: bool) -> NDArray[np.float64]:
        losses = self.points(split, scaled=scaled)
        return losses[~np.isnan(losses).any(axis=1)]

    def _set_table(self, table: pd.DataFrame) -> None:
        self.table = tidy(table, self.objectives)
        self.table["non_dominated"] = self.non_dominated()


def _on_cpu(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Detached copies, so that further training does not change a stored point."""
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
