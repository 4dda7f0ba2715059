"""A path that has collapsed: nothing falls along it, where a training of its own might have lowered it."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from scpareto._runtime import broadcast_from_first, seeded
from scpareto.front import _seeds
from scpareto.front._front_run import COLLAPSE
from scpareto.front._judge_front import judge_places
from scpareto.front._judging import compute_losses
from scpareto.front._shared_start import add_critics
from scpareto.train import Fixed, Training, train

if TYPE_CHECKING:
    from scpareto._runtime import FrontProgress
    from scpareto.front._front_run import FrontRun
    from scpareto.objectives import Objective
    from scpareto.train import Start

logger = logging.getLogger("scpareto")

_LEAST_INFORMATION, _MOST_LEFT = 0.05, 0.8
"""Information in nats that a start must have, and the share of it left at the end, for a collapse to be looked for."""
_SHORT = 0.25
"""Epochs of the training that a collapse is told by, as a share of the path's."""


def is_given_up(run: FrontRun, curve: dict[str, Any], start: Start, progress: FrontProgress) -> bool:
    """Whether a path is given up for points that are trained apart; if so, prepare for them. The verdict is kept.

    A path along which nothing falls is reported. It is given up only where ``on_collapse="apart"`` asks for it and a
    short training of its own lowers what the path does not.
    """
    if (verdict := run.store.get(COLLAPSE)) is None:
        flat = _flat_objectives(run, curve)
        names = []
        if flat and run.on_collapse == "apart":
            names = [name for which, name in flat.items() if _lowers(run, which, curve, start, progress)]
        elif flat:
            _say_flat(run, curve, list(flat.values()))
        if names:
            logger.warning(
                "The path does not lower %s, which a short training of its own does. The points are trained apart: up "
                "to %d epochs in all.",
                ", ".join(names),
                run.apart().spec.n_epochs,
            )
            for name in ("path", "critics", *(f"point_{number}" for number in range(run.spec.n_front))):
                run.store.discard(name)
        verdict = {"objectives": list(flat.values()), "apart": bool(names)}
        run.store.put(COLLAPSE, verdict)
    return bool(verdict["apart"])


def _flat_objectives(run: FrontRun, curve: dict[str, Any]) -> dict[int, str]:
    """Objectives that nothing lowers along the path, by number: by the curve, else by their own losses at its ends."""
    if curve:
        return {} if curve["falls"] or curve.get("nothing_to_remove") else {1: run.problem.objectives[0].label}
    objectives = run.problem.objectives
    return {which: o.label for which, o in enumerate(objectives, 1) if _is_flat(run, o, which)}


def _is_flat(run: FrontRun, objective: Objective, which: int) -> bool:
    before, after = _ends(run, objective, which)
    if math.isnan(before) or math.isnan(after):
        return False  # its critic never left its start, which is told elsewhere
    if objective.minimum is None or before - objective.minimum < _LEAST_INFORMATION:
        return False
    return not after < _MOST_LEFT * before


def _ends(run: FrontRun, objective: Objective, which: int) -> tuple[float, float]:
    """Loss of an objective on test cells at both ends of the path."""
    parts = (run.result(number) for number in (0, run.spec.extremes[which]))
    before, after = (part["row"][f"{objective.label}_test"] for part in parts if part is not None)
    return before, after


def _say_flat(run: FrontRun, curve: dict[str, Any], names: list[str]) -> None:
    left = f", of which {curve['lowest']:.0f} % is left at least" if curve else ""
    logger.warning(
        "This training does not lower %s%s. Maybe it cannot be removed, or a longer training is needed (max_epochs). "
        "The front is kept as it is. on_collapse='apart' tries a short training for it alone (%d epochs) and, where "
        "that lowers it, trains every point apart (up to %d epochs).",
        ", ".join(names),
        left,
        math.ceil(_SHORT * run.spec.max_epochs),
        run.apart().spec.n_epochs,
    )


def _lowers(run: FrontRun, which: int, curve: dict[str, Any], start: Start, progress: FrontProgress) -> bool:
    """Whether a short training for one objective alone lowers what the path does not."""
    _train_alone(run, which, start, progress)
    label = run.problem.names[which]
    if curve:
        target, column = run.judging.target, run.judging.column
        frame = run.cells.frame(target) if target is not None else None
        assert frame is not None  # there is no curve without
        codes = {"alone": run.cells.encode()[0].loc.numpy()}
        found = judge_places(frame, codes, column=column, full=False, n_bootstrap=run.judging.n_bootstrap)
        alone, after = found.columns["alone"][column], float(curve["lowest"])
    else:
        with seeded(run.judging.seed):
            losses = compute_losses(run.cells, *run.cells.encode(), run.problem.objectives, run.problem.recipe.de_novo)
        alone, after = losses[f"{label}_test"], _ends(run, run.problem.objectives[which - 1], which)[1]
    alone = broadcast_from_first(alone)
    if not (lower := alone < _MOST_LEFT * after):
        logger.warning(
            "Training hardly lowers %s: %.3g along the path, %.3g after a short training for it alone. Train longer.",
            label,
            after,
            alone,
        )
    return bool(lower)


def _train_alone(run: FrontRun, which: int, start: Start, progress: FrontProgress) -> None:
    """Train for one objective alone, a quarter as long as the path."""
    n_epochs = math.ceil(_SHORT * run.spec.max_epochs)
    run = run.apart()
    progress.extend(n_epochs)
    progress.stage("looking for a collapse", n_epochs)
    training = Training(
        name="alone",
        seed=run.seed(_seeds.ALONE + which),
        start=add_critics(run, start, progress, keep=False),
        weights=Fixed.alone(which, run.spec.n_objectives),
        max_epochs=n_epochs,
        keep_best=False,
        learning_rate=run.problem.recipe.lr_front,
    )
    train(training, run.problem, on_epoch=progress.epoch)
