"""Strategy of separate points: train the extremes, then one training for each preference."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from scpareto._runtime import broadcast_from_first
from scpareto.front import _seeds
from scpareto.front._executor import catch_divergence
from scpareto.front._points import Point, train_and_judge
from scpareto.front._scalers import scalers_of_extremes
from scpareto.front._shared_start import add_critics
from scpareto.train import BySolver, Fixed, Start, Training, TrainingDiverged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scpareto._runtime import FrontProgress
    from scpareto.front._front_run import FrontRun
    from scpareto.pareto import Scaler

logger = logging.getLogger("scpareto")


def train_apart(run: FrontRun, start: Start, progress: FrontProgress) -> None:
    """Train and judge every point separately.

    A point whose training diverges is left out, recorded in ``run.failures`` and logged; the others continue.

    Raises
    ------
    TrainingDiverged
        If an extreme diverged: without it losses cannot be standardised.
    RuntimeError
        If every candidate diverged.
    """
    spec = run.spec
    start = add_critics(run, start, progress)
    extremes = [plan_extreme(run, which, start) for which in range(spec.n_objectives)]
    _train_points(run, extremes, progress)
    results = [result for number in spec.extremes if (result := run.result(number)) is not None]
    scalers = scalers_of_extremes(results, run.problem.names, run.problem.objectives, run.problem.recipe)
    run.metadata["training_scaler"], run.metadata["scaler"] = (scaler.to_plain() for scaler in scalers)
    for number, error in _train_candidates(run, start, scalers, progress).items():
        run.failures[number] = str(error)
        logger.warning("Point %d diverged and is left out: %s", number, error)
    if len(run.failures) == len(spec.candidates):
        raise RuntimeError(f"Every candidate diverged. The first: {run.failures[spec.candidates[0]]}")


def train_alone(run: FrontRun, start: Start, progress: FrontProgress) -> None:
    """Train and judge the single point of a front that trades nothing: the generative loss alone."""
    training = Training("point_0", run.seed(0), start, Fixed((1.0,)), run.spec.max_epochs)
    description = "the generative loss: one batch"
    point = Point(0, "extreme", run.spec.preference(0), run.spec.seed, (training,), description)
    _train_points(run, [point], progress)


def plan_extreme(run: FrontRun, which: int, start: Start) -> Point:
    """Plan one extreme: the generative loss alone, or one other objective alone followed by a refit of the decoder."""
    spec, recipe = run.spec, run.problem.recipe
    number, p = spec.extremes[which], spec.n_objectives
    # Other extremes keep their last state: the best validation state would be the one that best fooled its critic.
    training = Training(
        name=f"point_{number}",
        seed=run.seed(number),
        start=start,
        weights=Fixed.alone(which, p),
        max_epochs=spec.max_epochs,
        keep_best=which == 0,
        learning_rate=recipe.lr_front,
        epochs_before=spec.max_epochs_pretrain,
    )
    refit = Training(
        name=f"point_{number}",
        seed=run.seed(_seeds.REFITTING + number),
        start=Start(),
        weights=Fixed.alone(0, p),
        max_epochs=spec.max_epochs,
        frozen=True,
    )
    description = "extreme: " + ("uncorrected" if which == 0 else f"strongest {run.problem.names[which]}")
    trainings = (training,) if which == 0 else (training, refit)
    return Point(number, "extreme", spec.preference(number), spec.seed, trainings, description)


def plan_candidate(run: FrontRun, number: int, start: Start, scalers: tuple[Scaler, Scaler]) -> Point:
    """Plan one point between the extremes."""
    spec, recipe = run.spec, run.problem.recipe
    limit = recipe.safeguards.max_initial_epochs
    weights = BySolver(
        method=spec.method,
        options={"safeguards": recipe.safeguards} | spec.solver_kwargs,
        preferences=spec.preferences,
        preference=spec.preference(number),
        scalers=scalers,
        max_initial_epochs=spec.max_epochs if limit is None else limit,
    )
    training = Training(
        name=f"point_{number}",
        seed=run.seed(number),
        start=start,
        weights=weights,
        max_epochs=spec.max_epochs,
        learning_rate=recipe.lr_front,
        epochs_before=spec.max_epochs_pretrain,
    )
    description = f"point {number} of {len(spec.preferences)}"
    return Point(number, "candidate", spec.preference(number), spec.seed, (training,), description)


def _train_candidates(
    run: FrontRun, start: Start, scalers: tuple[Scaler, Scaler], progress: FrontProgress
) -> dict[int, TrainingDiverged]:
    """Train the points between the extremes; return the errors of those that diverged."""
    numbers = run.spec.candidates
    if run.spec.warm_start != "path":
        return _train_points(run, [plan_candidate(run, number, start, scalers) for number in numbers], progress)
    diverged: dict[int, TrainingDiverged] = {}
    for number in numbers:
        before = (run.result(n) for n in range(number - 1, -1, -1))
        state = next(result["module"] for result in before if result is not None)
        point = plan_candidate(run, number, Start(state, start.objectives), scalers)
        diverged |= _train_points(run, [point], progress)
    return diverged


def _train_points(run: FrontRun, points: Sequence[Point], progress: FrontProgress) -> dict[int, TrainingDiverged]:
    """Train and judge points that are not stored yet, here or by the executor; return errors of diverged ones."""
    diverged: dict[int, TrainingDiverged] = {}
    shared = (run.problem, run.cells, run.judging)

    def store(point: Point, result: dict[str, Any] | TrainingDiverged) -> None:
        if isinstance(result, TrainingDiverged):
            if point.kind == "extreme":
                raise result
            diverged[point.number] = result
        else:
            run.store.put(f"point_{point.number}", broadcast_from_first(result))

    missing = [point for point in points if run.result(point.number) is None]
    if run.executor is not None and missing:
        run.cells.expression  # noqa: B018 - computed once here, not by every worker
        run.executor.map(train_and_judge, shared, missing, store, progress)
    for point in points:
        progress.stage(point.description, point.n_epochs)
        if run.result(point.number) is None and point.number not in diverged:
            store(point, catch_divergence(train_and_judge, *shared, point, progress))
    return diverged
