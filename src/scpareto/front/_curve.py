"""Judge a path: batch_left and structure_kept along it, and the places of the points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from scpareto._constants import GENERATIVE_LOSS, STRUCTURE_KEPT
from scpareto._runtime import seeded
from scpareto.front._judge_front import judge_places
from scpareto.front._places import FIRST_PLACES, choose_added_places, choose_equal_steps, find_last_place, is_reduced
from scpareto.pareto import preference_at, table_to_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from scpareto.front._front_run import FrontRun
    from scpareto.front._judge_front import FrontJudgement
    from scpareto.pareto import WeightPath

_MAX_ADDED_PLACES = 8
"""Largest number of places that are added where the curve bends."""


def judge_path(run: FrontRun, path: WeightPath) -> dict[str, Any]:
    """Judge places along a path and choose the places of the points.

    Returns
    -------
    Plain types: ``table`` of the judged places; ``preferences`` of the points, one row each, empty to keep the default
    places; ``falls``, whether batch_left decreases along the path; and ``lowest``, its lowest value. Empty if nothing
    can be judged.
    """
    target = run.judging.target
    frame = run.cells.frame(target) if run.is_on_axis and target is not None else None
    if frame is None or not frame.frame.populations:
        return {}
    judge = _PathJudge(run, path, frame)
    first = judge(FIRST_PLACES)
    if first.record["no_batch_effect"]:
        nothing = {"preferences": [], "falls": False, "nothing_to_remove": True}
        return nothing | {"table": table_to_plain(judge.table())}
    place, left = judge.left_by_place()
    decreases, margin = is_reduced(judge.names(place), left, first.tables["differences"]), float(first.record["margin"])
    n_points = run.spec.n_front
    if decreases and (
        added := choose_added_places(place, left, find_last_place(left, margin), n_points, _MAX_ADDED_PLACES)
    ):
        judge(added)
        place, left = judge.left_by_place()
    curve = {"table": table_to_plain(judge.table()), "falls": decreases, "lowest": float(left.min())}
    if not decreases or run.spec.grid_given:
        return curve | {"preferences": []}
    places = choose_equal_steps(place, left, find_last_place(left, margin), n_points)
    return curve | {"preferences": [preference_at([1 - s, s]).tolist() for s in places]}


class _PathJudge:
    """Judge places of a path, and collect codes and table rows."""

    def __init__(self, run: FrontRun, path: WeightPath, frame: Any) -> None:
        self._run, self._path, self._frame = run, path, frame
        self._codes: dict[str, Any] = {}
        self._rows: dict[float, dict[str, Any]] = {}

    def __call__(self, places: Sequence[float]) -> FrontJudgement:
        cells = self._run.cells
        for place in places:
            if place in self._rows:
                continue
            preference = preference_at([1 - place, place])
            cells.adapter.module.load_state_dict(self._path.state(preference))
            with seeded(self._run.judging.seed):
                qz, _, generative = cells.encode()
            self._codes[_name(place)] = qz.loc.numpy()
            row = {"place": place, f"preference_{self._run.problem.names[1]}": float(preference[1])}
            for part, index in cells.split.items():
                row[f"{GENERATIVE_LOSS}_{part}"] = float(generative[index].mean())
            self._rows[place] = row
        column = self._run.judging.column
        codes = {_name(place): self._codes[_name(place)] for place in places}
        n_bootstrap = self._run.judging.n_bootstrap
        judgement = judge_places(self._frame, codes, column=column, full=False, n_bootstrap=n_bootstrap)
        for place in places:
            scores = judgement.columns[_name(place)]
            names = [f"{name}{end}" for name in (column, STRUCTURE_KEPT) for end in ("", "_low", "_high")]
            self._rows[place] |= {name: scores[name] for name in names if name in scores}
        return judgement

    def left_by_place(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the judged places, ascending, and what is left of the nuisance at each."""
        table = self.table()
        return table["place"].to_numpy(), table[self._run.judging.column].to_numpy()

    def table(self) -> pd.DataFrame:
        """Return one row per judged place, in order along the path."""
        return pd.DataFrame([self._rows[place] for place in sorted(self._rows)])

    @staticmethod
    def names(places: NDArray[np.float64]) -> list[str]:
        """Return the names of places."""
        return [_name(place) for place in places]


def _name(place: float) -> str:
    return f"place {place:.6f}"
