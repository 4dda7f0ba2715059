"""A front: the points of a trade-off curve, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._constants import GENERATIVE_LOSS
from scpareto.pareto import _plain
from scpareto.pareto._find import check_point
from scpareto.pareto._front_indicators import Indicators
from scpareto.pareto._front_lookup import Lookup
from scpareto.pareto._html import front_html
from scpareto.pareto._judged import is_judged
from scpareto.pareto._path import WeightPath
from scpareto.pareto._scaler import Scaler
from scpareto.pareto._sweep import failed_in_words, sweep_in_words
from scpareto.pareto._table import loss_columns, preference_columns, tidy_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray


@dataclass(eq=False, repr=False)
class Front(Lookup, Indicators):
    """Every trained point: its preference, losses, audit and weights.

    Points are numbered from uncorrected (0) to most strongly corrected. A front may be incomplete.

    Parameters
    ----------
    table
        One row per point. Missing standard columns are added as NaN and further columns are kept. ``non_dominated``
        refers to the judged plane, or to the test losses if the front was not judged.
    states
        Module weights of each point, on CPU; points on the ``path`` need none.
    objectives
        Names of the objectives, ``"generative_loss"`` first.
    method
        Name of the solver.
    metadata
        Further information as plain values and tensors: arguments, seed, versions, scaler, split indices.
    n_expected
        Number of points of the complete front, if known.
    path
        Weights of all preferences, if one training learned them; points without entries in ``states`` lie on it.
    tables
        Tables of the judge for all points together: ``"curve"``, the judged path; ``"differences"`` of ``batch_left``
        and ``"differences_structure"`` of ``structure_kept``, with paired intervals; ``"populations"`` and
        ``"populations_structure"``; ``"lost"``, differences between cells; ``"runs"``, of a sweep, one row per value
        with time, library and the reason of a failure.
    codes
        Codes of all cells by point number, shape ``(n_cells, n_latent)`` each, for points without weights, as in fronts
        of :func:`scpareto.tl.sweep`.

    Examples
    --------
    >>> front = Front(objectives=["generative_loss", "mine"], method="scalarization", n_expected=2)
    >>> front.add({"point": 0, "kind": "extreme", "generative_loss_test": 330.0, "mine_test": 1.5})
    >>> front
    Front of generative_loss, mine by scalarization: 1 of 2 points, 1 non-dominated (test losses)
    """

    table: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"point": []}))
    states: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)
    objectives: list[str] = field(default_factory=lambda: [GENERATIVE_LOSS])
    method: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    n_expected: int | None = None
    path: WeightPath | None = None
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    codes: dict[int, NDArray[np.float32]] = field(default_factory=dict)

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
        title = sweep_in_words(self) or f"Front of {', '.join(self.objectives)} by {self.method}"
        plane = "judged" if is_judged(self) else "test losses"
        text = f"{title}: {count}, {self.non_dominated().sum()} non-dominated ({plane})"
        failed = failed_in_words(self)
        return f"{text}; failed at {failed}" if failed else text

    def _repr_html_(self) -> str:
        return front_html(self, self.selected)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the points, ascending."""
        return [int(point) for point in self.table["point"]]

    @property
    def missing(self) -> list[int]:
        """Numbers of the points that are missing from the complete front."""
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
        number = check_point(self, point)
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
        number = check_point(self, number)
        if number in self.states:
            return self.states[number]
        if self.path is not None:
            return self.path.state(self.preferences[self.numbers.index(number)])
        raise KeyError(f"Point {number} has no weights; points with weights are {sorted(self.states)}.")

    def only(self, points: Sequence[int]) -> Front:
        """Front of some of the points, for example of :meth:`steps`, with their weights.

        Raises
        ------
        ValueError
            If there is no point with such a number.
        """
        numbers = [check_point(self, point) for point in points]
        table = self.table[self.table["point"].isin(numbers)]
        states = {n: self.states[n] for n in numbers if n in self.states}
        codes = {n: self.codes[n] for n in numbers if n in self.codes}
        arguments = (table, states, self.objectives, self.method, self.metadata)
        return Front(*arguments, path=self.path, tables=self.tables, codes=codes)

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
            complete = losses[~np.isnan(losses).any(axis=1)]
            if scaler is None and len(complete):
                extent = np.ptp(complete, axis=0)
                low = complete.min(axis=0)
                scaler = Scaler("extent", low, low + np.where(extent > 0, extent, np.maximum(1, np.abs(low))))
            losses = losses if scaler is None else scaler.scale(losses)
        if points is None:
            return losses
        return losses[[self.numbers.index(check_point(self, point)) for point in points]]

    def refresh(self) -> None:
        """Update ``non_dominated`` after the judge wrote its tables."""
        self._set_table(self.table)

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
            "tables": {name: _plain.table_to_plain(table) for name, table in self.tables.items()},
        } | ({"codes": _plain.to_plain(self.codes, "codes")} if self.codes else {})

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Front:
        """Rebuild from :meth:`to_plain`."""
        path = plain.get("path")
        restored: dict[str, Any] = {"path": path and WeightPath.from_plain(path)}
        restored["codes"] = {number: np.asarray(codes) for number, codes in plain.get("codes", {}).items()}
        restored["table"] = _plain.table_from_plain(plain["table"])
        # The first fronts stored "structures", which are not used any more; audit() judges the points again.
        restored["tables"] = {name: _plain.table_from_plain(table) for name, table in plain.get("tables", {}).items()}
        return cls(**{**{name: value for name, value in plain.items() if name != "structures"}, **restored})

    def _set_table(self, table: pd.DataFrame) -> None:
        self.table = tidy_table(table, self.objectives)
        self.table["non_dominated"] = self.non_dominated()


def _on_cpu(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Detached copies, so that further training does not change a stored point."""
    return {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
