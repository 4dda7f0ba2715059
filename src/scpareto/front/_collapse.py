"""A path that has collapsed: the same codes at all its places, where a training of its own would have changed them."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from scpareto._runtime import of_first_process, seeded
from scpareto.front import _seeds
from scpareto.front._front_run import COLLAPSE
from scpareto.front._judging import losses_of
from scpareto.front._shared_start import with_critics
from scpareto.train import Fixed, Training, train

if TYPE_CHECKING:
    from scpareto._runtime import FrontProgress
    from scpareto.front._front_run import FrontRun
    from scpareto.objectives import Objective
    from scpareto.train import Start

logger = logging.getLogger("scpareto")

_LEAST_INFORMATION, _HARDLY_LOWER = 0.05, 0.8
"""Information in nats that a start must have, and the share of it left at the end, for a collapse to be looked for."""
_SHORT = 0.25
"""Epochs of the training that a collapse is told by, as a share of the path's."""


def collapsed(run: FrontRun, start: Start, progress: FrontProgress) -> bool:
    """Whether a path whose ends are judged has collapsed; if so, prepare to train apart. The verdict is kept."""
    if run.store.get(COLLAPSE) is None:
        names = collapsed_objectives(run, start, progress)
        if names:
            logger.warning(
                "The path does not lower %s, which a short training of its own does. The points are trained apart.",
                ", ".join(names),
            )
            for name in ("path", "critics", *(f"point_{number}" for number in run.spec.extremes)):
                run.store.discard(name)
        run.store.put(COLLAPSE, {"objectives": names})
    return run.has_collapsed


def collapsed_objectives(run: FrontRun, start: Start, progress: FrontProgress) -> list[str]:
    """Objectives that the path hardly lowers, by fresh critics, and that a short training of its own does lower."""
    names = []
    for which, objective in enumerate(run.problem.objectives, 1):
        ends = _ends(run, objective, which)
        if ends is None:
            continue
        before, after = ends
        alone = value_alone(run, which, start, progress)
        if alone < _HARDLY_LOWER * after:
            names.append(objective.label)
        else:
            logger.warning(
                "Training hardly lowers %s: %.3g uncorrected, %.3g at the strongest end, %.3g after a short "
                "training for it alone. Train longer.",
                objective.label,
                before,
                after,
                alone,
            )
    return names


def _ends(run: FrontRun, objective: Objective, which: int) -> tuple[float, float] | None:
    """Values at both ends of the path; None where there is little to lower, or where two witnesses say it fell."""
    parts = (run.part(number) for number in (0, run.spec.extremes[which]))
    rows = [part["row"] for part in parts if part is not None]
    before, after = (row[f"{objective.label}_test"] for row in rows)
    if objective.minimum is None or before - objective.minimum < _LEAST_INFORMATION or after < _HARDLY_LOWER * before:
        return None
    # A critic is one witness, the probe another.
    leaked = [row["leakage_mean"] for row in rows]
    is_judged = objective.needs_nuisance and objective.target == run.judging.target
    if is_judged and leaked[1] < _HARDLY_LOWER * leaked[0]:
        return None
    return before, after


def value_alone(run: FrontRun, which: int, start: Start, progress: FrontProgress) -> float:
    """Value of one objective on test cells, by a fresh critic, after a short training for it alone."""
    n_epochs = math.ceil(_SHORT * run.spec.max_epochs)
    run = run.apart()
    progress.extend(n_epochs)
    progress.stage("looking for a collapse", n_epochs)
    training = Training(
        name="alone",
        seed=run.seed(_seeds.ALONE + which),
        start=with_critics(run, start, progress, keep=False),
        weights=Fixed.alone(which, run.spec.n_objectives),
        max_epochs=n_epochs,
        keep_best=False,
        learning_rate=run.problem.recipe.lr_front,
    )
    train(training, run.problem, on_epoch=progress.epoch)
    with seeded(run.judging.seed):
        found = losses_of(run.cells, *run.cells.encode(), run.problem.objectives, run.problem.recipe.de_novo)
    return of_first_process(found)[f"{run.problem.names[which]}_test"]
