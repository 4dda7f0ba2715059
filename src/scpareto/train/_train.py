"""The one function that runs a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.distributions import Normal

from scpareto._runtime import seeded
from scpareto.objectives import is_dead
from scpareto.train._loop import make_keeper, run_training
from scpareto.train._path_plan import PathPlan
from scpareto.train._plan import TrainingDiverged
from scpareto.train._problem import load_start
from scpareto.train._records import count_epochs
from scpareto.train._training import Trained
from scpareto.train._weighing import FixedWeighing

if TYPE_CHECKING:
    from collections.abc import Callable

    from scpareto.train._loop import KeepBest
    from scpareto.train._plan import FrontPlan
    from scpareto.train._problem import Problem
    from scpareto.train._training import Training

_CELLS_SEEN = 1000
"""Largest number of cells on whose codes a critic is looked at after a training."""


def train(
    training: Training,
    problem: Problem,
    *,
    on_epoch: Callable[[], None] | None = None,
    unfinished: dict[str, Any] | None = None,
    keep: Callable[[dict[str, Any]], None] | None = None,
) -> Trained:
    """Run a training; the module keeps the final state.

    Parameters
    ----------
    training, problem
        What is trained, on what.
    on_epoch
        Called after each epoch of the main phase.
    unfinished
        Progress of this training that an earlier process stored; the training continues from it.
    keep
        Called after each piece with the progress, as tensors and plain types.

    Raises
    ------
    TrainingDiverged
        If a loss or gradient is not finite.
    KeyboardInterrupt
        If the user interrupts.
    """
    with seeded(training.seed):
        objectives = load_start(problem, training.start, training.weights.n_objectives - 1)
        plan = training.weights.plan(training, problem, objectives)
        plan.label = training.name
        if not training.piece_seeds:
            best = _make_keeper(plan, training)
            _fit(plan, training.max_epochs, problem, on_epoch, best)
            if best is not None:
                best.restore(plan)
            return _make_result(plan)
    assert isinstance(plan, PathPlan)
    _fit_pieces(plan, training, problem, on_epoch, unfinished, keep)
    return _make_result(plan)


def _fit(
    plan: FrontPlan,
    max_epochs: int,
    problem: Problem,
    on_epoch: Callable[[], None] | None,
    best: KeepBest | None = None,
) -> None:
    """Run the loop of a plan."""
    run_training(
        plan,
        problem.manager,
        problem.split,
        max_epochs=max_epochs,
        max_initial_epochs=plan.weighing.max_initial_epochs,
        batch_size=problem.batch_size,
        best=best,
        on_epoch=on_epoch,
        loader_kwargs=problem.loader_kwargs,
        stream=problem.stream,
        **problem.trainer_kwargs,
    )


def _fit_pieces(
    plan: PathPlan,
    training: Training,
    problem: Problem,
    on_epoch: Callable[[], None] | None,
    unfinished: dict[str, Any] | None,
    keep: Callable[[dict[str, Any]], None] | None,
) -> None:
    """Train piece by piece; a process that is killed loses the last piece only."""
    best = _make_keeper(plan, training)
    length, first = -(-training.max_epochs // len(training.piece_seeds)), 0
    if unfinished is not None:
        plan.load_plain(unfinished["plan"])
        if best is not None:
            best.load_plain(unfinished["best"])
        first = unfinished["piece"] + 1
    for piece in range(first, -(-training.max_epochs // length)):
        if best is not None and best.has_given_up:
            break
        # With a separate seed a piece is the same whether or not another process trained the one before.
        seed = training.piece_seeds[piece]
        plan.start_piece(seed)
        with seeded(seed):
            epochs_left = training.max_epochs - piece * length
            _fit(plan, min(length, epochs_left), problem, on_epoch, best)
        if keep is not None:
            keep({"piece": piece, "plan": plan.to_plain(), "best": None if best is None else best.to_plain()})
    if best is not None:
        best.restore(plan)


def _make_keeper(plan: FrontPlan, training: Training) -> KeepBest | None:
    """Keeper of the best state, where one is kept."""
    if not plan.recipe.early_stopping:
        return None
    # A training for one objective has no critic that needs time.
    settling = not isinstance(plan.weighing, FixedWeighing)
    return make_keeper(plan, training.max_epochs, settling=settling, epochs_before=training.epochs_before)


def _make_result(plan: FrontPlan) -> Trained:
    if not all(bool(torch.isfinite(weights).all()) for weights in plan.module.parameters()):
        raise TrainingDiverged(f"{plan.label}: weights are not finite after the last epoch; lower the learning rate.")
    losses = np.array(plan.minibatch_losses)
    ranges = [
        [float(column[is_finite].min()), float(column[is_finite].max())]
        if (is_finite := ~np.isnan(column)).any()
        else [0.0, 0.0]
        for column in losses.T
    ]
    return Trained(plan.result(), plan.history, ranges, count_epochs(plan.history), _dead_critics(plan))


def _dead_critics(plan: FrontPlan) -> tuple[str, ...]:
    """Labels of the objectives in use whose critics never left their start, on the latest codes."""
    if not len(plan.bank):
        return ()
    _, qz, context = plan.bank.draw(_CELLS_SEEN)
    # Where the trainer has left the critics: codes may be elsewhere.
    device = next(plan.critics[0].parameters()).device
    qz = Normal(qz.loc.to(device), qz.scale.to(device), validate_args=False)
    return tuple(critic.label for critic in plan.critics if is_dead(critic, qz.loc, qz, context.to(device)))
