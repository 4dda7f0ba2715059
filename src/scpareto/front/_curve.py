"""The judged curve of a path: what is left and kept along it, and the places of the points."""

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

_MOST_ADDED = 8
"""Places that are added at most where the curve bends."""


def judge_path(run: FrontRun, path: WeightPath) -> dict[str, Any]:
    """Judge a path along its way and choose the places of the points.

    Returns
    -------
    What is kept: ``table``, plain, of the judged places; ``preferences`` of the points, one row each, empty where the
    default places stay; ``falls``, whether what is left falls along the way; and ``lowest``, the least that is left.
    Empty where nothing can be judged.
    """
    target = run.judging.target
    frame = run.cells.frame(target) if run.is_on_axis and target is not None else None
    if frame is None or not frame.frame.populations:
        return {}
    judge = _Judge(run, path, frame)
    first = judge(FIRST_PLACES)
    if first.record["no_batch_effect"]:
        nothing = {"preferences": [], "falls": False, "nothing_to_remove": True}
        return nothing | {"table": table_to_plain(judge.table())}
    place, left = judge.known()
    fall, margin = is_reduced(judge.names(place), left, first.tables["differences"]), float(first.record["margin"])
    n_points = run.spec.n_front
    if fall and (added := choose_added_places(place, left, find_last_place(left, margin), n_points, _MOST_ADDED)):
        judge(added)
        place, left = judge.known()
    kept = {"table": table_to_plain(judge.table()), "falls": fall, "lowest": float(left.min())}
    if not fall or run.spec.grid_given:
        return kept | {"preferences": []}
    places = choose_equal_steps(place, left, find_last_place(left, margin), n_points)
    return kept | {"preferences": [preference_at([1 - s, s]).tolist() for s in places]}


class _Judge:
    """Judge of places that remembers what it has seen."""

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
        found = judge_places(self._frame, codes, column=column, full=False, n_bootstrap=n_bootstrap)
        for place in places:
            own = found.columns[_name(place)]
            ends = [f"{name}{end}" for name in (column, STRUCTURE_KEPT) for end in ("", "_low", "_high")]
            self._rows[place] |= {name: own[name] for name in ends if name in own}
        return found

    def known(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Judged places, ascending, and what is left there."""
        table = self.table()
        return table["place"].to_numpy(), table[self._run.judging.column].to_numpy()

    def table(self) -> pd.DataFrame:
        """One row per judged place, along the way."""
        return pd.DataFrame([self._rows[place] for place in sorted(self._rows)])

    @staticmethod
    def names(places: NDArray[np.float64]) -> list[str]:
        """Names of places."""
        return [_name(place) for place in places]


def _name(place: float) -> str:
    return f"place {place:.6f}"
