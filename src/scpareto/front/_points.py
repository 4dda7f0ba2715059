"""A point of a front: its place, its trainings, and the stored result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scpareto._constants import DEAD
from scpareto.front._judging import judge_points
from scpareto.train import history_columns, train

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from scpareto._runtime import FrontProgress
    from scpareto.front._judged_cells import JudgedCells
    from scpareto.front._judging import Judgement, Judging
    from scpareto.train import Problem, Training


@dataclass(frozen=True)
class Point:
    """A point to be trained.

    Parameters
    ----------
    number, kind, preference
        Its place in the table.
    seed
        Seed of the front.
    trainings
        Trainings in order, each from its ``start``; empty for a point on a path.
    description
        Text of the progress bar.
    """

    number: int
    kind: str
    preference: NDArray[np.float64]
    seed: int
    trainings: tuple[Training, ...] = ()
    description: str = ""

    @property
    def n_epochs(self) -> int:
        """Number of epochs if no training stops early."""
        return sum(training.max_epochs for training in self.trainings)


def train_and_judge(
    problem: Problem, cells: JudgedCells, judging: Judging, point: Point, progress: FrontProgress
) -> dict[str, Any]:
    """Train a point and judge it.

    Returns
    -------
    Tensors and plain types: ``row`` of the table, ``module``, ``history``, and ``minibatch_extremes`` of the first
    training.

    Raises
    ------
    TrainingDiverged
        If a loss is not finite.
    """
    trained = [train(training, problem, on_epoch=progress.epoch) for training in point.trainings]
    progress.say(f"judging point {point.number}")
    state = trained[-1].state
    ((_, judgement),) = judge_points(cells, [(point.number, state)], judging)
    dead = [label for one in trained for label in one.dead]
    return make_result(point, problem.names, sum(one.n_epochs for one in trained), judgement, dead) | {
        "module": state,
        "history": history_columns([record for one in trained for record in one.history]),
        "minibatch_extremes": trained[0].loss_ranges,
    }


def make_result(
    point: Point, names: list[str], n_epochs: int, judgement: Judgement, dead: Sequence[str] = ()
) -> dict[str, Any]:
    """Make the table row of a judged point.

    Parameters
    ----------
    point
        The point.
    names
        Names of the objectives, generative loss first.
    n_epochs
        Epochs of its trainings.
    judgement
        Judgement of the point alone.
    dead
        Labels of objectives whose critics never left their start in its training.
    """
    row: dict[str, Any] = {"point": point.number, "kind": point.kind}
    row |= {f"preference_{name}": float(value) for name, value in zip(names, point.preference, strict=True)}
    row |= judgement.row | {"seed": point.seed, "n_epochs": n_epochs} | {f"{label}{DEAD}": True for label in dead}
    return {"row": row}
