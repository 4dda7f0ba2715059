"""Detect a collapsed path: nothing decreases along it, although a separate training might lower it."""

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

_MIN_INFORMATION, _MAX_SHARE_LEFT = 0.05, 0.8
"""A collapse is only tested for objectives above this many nats at the start of which at least this share is left."""
_TEST_EPOCHS_SHARE = 0.25
"""Epochs of the test training, as a share of the epochs of the path."""


def is_given_up(run: FrontRun, curve: dict[str, Any], start: Start, progress: FrontProgress) -> bool:
    """Decide whether points are trained apart instead of along the path; if so, clear the store for them.

    A path along which nothing decreases gives a warning. It is given up only with ``on_collapse="apart"``, and only if
    a short separate training lowers an objective that the path does not. The decision is stored.
    """
    if (verdict := run.store.get(COLLAPSE)) is None:
        flat = _flat_objectives(run, curve)
        names = []
        if flat and run.on_collapse == "apart":
            names = [name for which, name in flat.items() if _can_be_lowered(run, which, curve, start, progress)]
        elif flat:
            _warn_flat(run, curve, list(flat.values()))
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
    """Return objectives that do not decrease along the path, by number; by the curve, else by losses at both ends."""
    if curve:
        return {} if curve["falls"] or curve.get("nothing_to_remove") else {1: run.problem.objectives[0].label}
    objectives = run.problem.objectives
    return {which: o.label for which, o in enumerate(objectives, 1) if _is_flat(run, o, which)}


def _is_flat(run: FrontRun, objective: Objective, which: int) -> bool:
    before, after = _extreme_losses(run, objective, which)
    if math.isnan(before) or math.isnan(after):
        return False  # the critic never left its start, which another warning reports
    if objective.minimum is None or before - objective.minimum < _MIN_INFORMATION:
        return False
    return not after < _MAX_SHARE_LEFT * before


def _extreme_losses(run: FrontRun, objective: Objective, which: int) -> tuple[float, float]:
    """Return the loss of an objective on test cells at both extremes of the path."""
    results = (run.result(number) for number in (0, run.spec.extremes[which]))
    before, after = (result["row"][f"{objective.label}_test"] for result in results if result is not None)
    return before, after


def _warn_flat(run: FrontRun, curve: dict[str, Any], names: list[str]) -> None:
    left = f", of which {curve['lowest']:.0f} % is left at least" if curve else ""
    logger.warning(
        "This training does not lower %s%s. Maybe it cannot be removed, or a longer training is needed (max_epochs). "
        "The front is kept as it is. on_collapse='apart' tries a short training for it alone (%d epochs) and, where "
        "that lowers it, trains every point apart (up to %d epochs).",
        ", ".join(names),
        left,
        math.ceil(_TEST_EPOCHS_SHARE * run.spec.max_epochs),
        run.apart().spec.n_epochs,
    )


def _can_be_lowered(run: FrontRun, which: int, curve: dict[str, Any], start: Start, progress: FrontProgress) -> bool:
    """Whether a short training for one objective alone lowers it below the path."""
    _train_alone(run, which, start, progress)
    label = run.problem.names[which]
    if curve:
        target, column = run.judging.target, run.judging.column
        frame = run.cells.frame(target) if target is not None else None
        assert frame is not None  # a curve needs a frame
        codes = {"alone": run.cells.encode()[0].loc.numpy()}
        judgement = judge_places(frame, codes, column=column, full=False, n_bootstrap=run.judging.n_bootstrap)
        loss_alone, loss_on_path = judgement.columns["alone"][column], float(curve["lowest"])
    else:
        with seeded(run.judging.seed):
            losses = compute_losses(run.cells, *run.cells.encode(), run.problem.objectives, run.problem.recipe.de_novo)
        loss_alone, loss_on_path = (
            losses[f"{label}_test"],
            _extreme_losses(run, run.problem.objectives[which - 1], which)[1],
        )
    loss_alone = broadcast_from_first(loss_alone)
    if not (lower := loss_alone < _MAX_SHARE_LEFT * loss_on_path):
        logger.warning(
            "Training hardly lowers %s: %.3g along the path, %.3g after a short training for it alone. Train longer.",
            label,
            loss_on_path,
            loss_alone,
        )
    return bool(lower)


def _train_alone(run: FrontRun, which: int, start: Start, progress: FrontProgress) -> None:
    """Train for one objective alone, a quarter as long as the path."""
    n_epochs = math.ceil(_TEST_EPOCHS_SHARE * run.spec.max_epochs)
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
