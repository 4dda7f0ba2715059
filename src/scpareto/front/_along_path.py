"""Strategy ``"conditional"``: train one path of weights for all preferences, then judge places on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from scpareto._runtime import broadcast_from_first, child_seed, computes_for_all, seeded
from scpareto.front import _seeds
from scpareto.front._collapse import is_given_up
from scpareto.front._curve import judge_path
from scpareto.front._front_run import CURVE
from scpareto.front._judging import judge_points
from scpareto.front._points import Point, make_result
from scpareto.front._scalers import scaler_of_start
from scpareto.front._shared_start import add_critics, encode_for_critics
from scpareto.pareto import WeightPath
from scpareto.train import AlongPath, Training, count_epochs, history_columns, load_start, train

if TYPE_CHECKING:
    from scpareto._runtime import FrontProgress
    from scpareto.front._front_run import FrontRun
    from scpareto.pareto import Scaler
    from scpareto.train import Start

_UNFINISHED = "path_training"
"""Entry of the store with the state after the finished pieces of the training."""


def train_along_path(run: FrontRun, start: Start, progress: FrontProgress) -> bool:
    """Train the path and judge the points on it, the extremes first.

    Returns
    -------
    Whether the path is kept; if not, the store is ready for points that are trained separately.
    """
    spec, on_path = run.spec, _with_places(run)
    with_critics = add_critics(on_path, start, progress)
    progress.stage("all preferences", spec.max_epochs)
    if (result := run.store.get("path")) is None:
        result = broadcast_from_first(_train_path(on_path, with_critics, progress))
        run.store.put("path", result)
    run.store.discard(_UNFINISHED)
    run.metadata["training_scaler"] = run.metadata["scaler"] = result["scaler"]
    if (curve := run.store.get(CURVE)) is None:
        with progress.judge("judging the path", 0.4):
            curve = judge_path(run, WeightPath.from_plain(result["path"])) if computes_for_all() else {}
            curve = broadcast_from_first(curve)
        run.store.put(CURVE, curve)
    run = run.current()
    if not curve:
        _judge_places(run, result, spec.extremes, progress)
    if is_given_up(run, curve, start, progress):
        return False
    _judge_places(run, result, list(range(spec.n_front)), progress)
    return True


def _with_places(run: FrontRun) -> FrontRun:
    """Return the same run with objectives whose critics also read the place of a cell on the path."""
    # Seeded to leave the caller's generator unchanged: every training draws new weights for its copies.
    with seeded(run.seed(_seeds.PATH)):
        objectives = tuple(objective.along_path(run.spec.n_objectives) for objective in run.problem.objectives)
    return replace(run, problem=replace(run.problem, objectives=objectives))


def _train_path(run: FrontRun, start: Start, progress: FrontProgress) -> dict[str, Any]:
    """Train the path in pieces, each of which is stored; return the result of the whole training."""
    seed, n_pieces = run.seed(_seeds.PATH), run.problem.recipe.n_pieces
    scaler = broadcast_from_first(_scaler(run, start, seed))
    training = Training(
        name="path",
        seed=seed,
        start=start,
        weights=AlongPath(scaler),
        max_epochs=run.spec.max_epochs,
        learning_rate=run.problem.recipe.lr_front,
        epochs_before=run.spec.max_epochs_pretrain,
        piece_seeds=tuple(child_seed(run.seed(_seeds.PIECES), piece) for piece in range(n_pieces)),
    )
    unfinished = run.store.get(_UNFINISHED)
    for _ in range(count_epochs(unfinished["plan"]["history"]) if unfinished else 0):
        progress.epoch()
    trained = train(
        training,
        run.problem,
        on_epoch=progress.epoch,
        unfinished=unfinished,
        keep=lambda piece: run.store.put(_UNFINISHED, piece),
    )
    return {
        "path": trained.state,
        "scaler": scaler.to_plain(),
        "history": history_columns(trained.history),
        "n_epochs": trained.n_epochs,
        "dead": list(trained.dead),
    }


def _scaler(run: FrontRun, start: Start, seed: int) -> Scaler:
    """Compute the scaler of the losses at the start, where no extremes are trained yet."""
    with seeded(seed):
        objectives, cells = load_start(run.problem, start), torch.from_numpy(run.cells.split.train)
        return scaler_of_start(objectives, *encode_for_critics(run), cells, run.problem.recipe.least_cost)


def _judge_places(run: FrontRun, result: dict[str, Any], numbers: list[int], progress: FrontProgress) -> None:
    """Judge the path at the points that the store does not hold yet."""
    spec, path = run.spec, WeightPath.from_plain(result["path"])
    missing = [number for number in numbers if run.result(number) is None]
    states = ((number, path.state(spec.preference(number))) for number in missing)
    for number, judgement in judge_points(run.cells, states, run.current_judging, say=progress.say):
        is_extreme = number in spec.extremes and bool(spec.preference(number).max() == 1.0)
        kind = "extreme" if is_extreme else "conditional"
        point = Point(number, kind, spec.preference(number), spec.seed)
        record = make_result(point, run.problem.names, result["n_epochs"], judgement, result.get("dead", []))
        run.store.put(f"point_{number}", broadcast_from_first(record))
