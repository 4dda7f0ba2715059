"""The state of a front in training, which every step receives."""

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
"""Entry of the store that records which objectives a path does not lower, and the method that replaces it then."""
CURVE = "curve"
"""Entry of the store with the judged curve of a path and the places of its points."""


@dataclass(frozen=True)
class FrontRun:
    """A front whose arguments are checked, before or during its training.

    Parameters
    ----------
    problem
        Model, cells, objectives and recipe, which all trainings share.
    spec
        Specification of the front.
    cells, judging
        Cells that points are judged on, and how they are judged.
    store
        Keeps finished results.
    metadata
        Metadata of the front; each step adds to it.
    clusterings
        Clusters that objectives are conditioned on.
    executor
        Trains points on other machines; None for this process.
    show_progress
        Whether to show a progress bar.
    failures
        Errors of points whose training diverged, by number.
    on_collapse
        What to do if nothing decreases along a path: ``"keep"`` it, or train the points ``"apart"``.
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
        """Return the seed of a step of the front; see :mod:`scpareto.front._seeds`."""
        return child_seed(self.spec.seed, index)

    def result(self, number: int) -> dict[str, Any] | None:
        """Return the stored result of a finished point; None if there is none."""
        return self.store.get(f"point_{number}")

    @property
    def has_collapsed(self) -> bool:
        """Whether the one training of all preferences changed nothing."""
        verdict = self.store.get(COLLAPSE) if self.spec.along_path else None
        return verdict is not None and bool(verdict["apart"])

    def current(self) -> FrontRun:
        """Return this run with its chosen places, or the run that trains apart if its path was given up."""
        if self.has_collapsed:
            return self.apart()
        curve = self.store.get(CURVE) if self.spec.along_path else None
        if curve is None or not curve.get("preferences"):
            return self
        return replace(self, spec=replace(self.spec, places=np.asarray(curve["preferences"])))

    @property
    def current_judging(self) -> Judging:
        """How points are judged; along a path, critics skip information that probes already measure."""
        target = self.judging.target
        if not (self.spec.along_path and self.is_on_axis) or target is None:
            return self.judging
        frame = self.cells.frame(target)
        if frame is None or not frame.frame.populations:
            return self.judging
        return replace(self.judging, probed=select_probed(self.problem.objectives, target))

    @property
    def is_on_axis(self) -> bool:
        """Whether the front trades what is left of one categorical nuisance."""
        objectives = self.problem.objectives
        return len(objectives) == 1 and objectives[0].needs_nuisance and self.judging.target == objectives[0].target

    def apart(self) -> FrontRun:
        """Return the run that trains the same points separately."""
        return replace(self, spec=self.spec.apart(APART_INSTEAD))
