"""A front that is ready to be trained, or on its way: what every part of the story is handed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._runtime import child_seed
from scpareto.front._judging import select_probed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scpareto.front._clusters import Clustering
    from scpareto.front._executor import RayExecutor
    from scpareto.front._judged_cells import JudgedCells
    from scpareto.front._judging import Judging
    from scpareto.front._spec import FrontSpec
    from scpareto.front._store import ResultStore
    from scpareto.train import Problem

COLLAPSE, APART_INSTEAD = "collapse", "scalarization"
"""Part of the store that records which objectives a path does not lower, and the method that takes its place then."""
CURVE = "curve"
"""Part of the store that records what was judged along a path, and where its points lie."""


@dataclass(frozen=True)
class FrontRun:
    """A front that is checked and ready to be trained, or on its way.

    Parameters
    ----------
    problem
        Model, cells, objectives and recipe, which all trainings share.
    spec
        What the front is made of.
    cells, judging
        The cells that points are judged on, and how.
    store
        Keeps finished parts.
    metadata
        What the front records of itself; parts of the story add to it.
    clusterings
        Clusters that objectives are conditioned on.
    executor
        Trains points elsewhere; None for this process.
    show_progress
        Whether a bar is drawn.
    failures
        Why points are missing whose training diverged, by number.
    on_collapse
        What is done where nothing falls along a path: ``"keep"`` it, or train the points ``"apart"``.
    """

    problem: Problem
    spec: FrontSpec
    cells: JudgedCells
    judging: Judging
    store: ResultStore
    metadata: dict[str, Any]
    clusterings: Sequence[Clustering] = ()
    executor: RayExecutor | None = None
    show_progress: bool = True
    failures: dict[int, str] = field(default_factory=dict)
    on_collapse: str = "keep"

    def seed(self, index: int) -> int:
        """Seed of a part of the front; see :mod:`scpareto.front._seeds`."""
        return child_seed(self.spec.seed, index)

    def result(self, number: int) -> dict[str, Any] | None:
        """Return what is kept of a finished point."""
        return self.store.get(f"point_{number}")

    @property
    def has_collapsed(self) -> bool:
        """Whether one training of all preferences was found to change nothing."""
        verdict = self.store.get(COLLAPSE) if self.spec.along_path else None
        return verdict is not None and bool(verdict["apart"])

    def current(self) -> FrontRun:
        """Return this run with the places of its points, or where its path was given up the one that trains apart."""
        if self.has_collapsed:
            return self.apart()
        curve = self.store.get(CURVE) if self.spec.along_path else None
        if curve is None or not curve.get("preferences"):
            return self
        return replace(self, spec=replace(self.spec, places=np.asarray(curve["preferences"])))

    @property
    def current_judging(self) -> Judging:
        """How points are judged; along a path, information that probes read is not read by critics as well."""
        target = self.judging.target
        if not (self.spec.along_path and self.is_on_axis) or target is None:
            return self.judging
        frame = self.cells.frame(target)
        if frame is None or not frame.frame.populations:
            return self.judging
        return replace(self.judging, probed=select_probed(self.problem.objectives, target))

    @property
    def is_on_axis(self) -> bool:
        """Whether what is left of one nuisance with levels is what the front trades."""
        objectives = self.problem.objectives
        return len(objectives) == 1 and objectives[0].needs_nuisance and self.judging.target == objectives[0].target

    def apart(self) -> FrontRun:
        """Return the run that trains the same points apart."""
        return replace(self, spec=self.spec.apart(APART_INSTEAD))
