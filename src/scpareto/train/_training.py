"""One training as a value, and its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from scpareto.objectives import Objective
    from scpareto.train._plan import FrontPlan
    from scpareto.train._problem import Problem, Start


class WeightsOf(Protocol):
    """A kind of weights: how many objectives it weighs, and the plan that it makes of a training."""

    @property
    def n_objectives(self) -> int:
        """Number of objectives, generative loss included."""
        ...

    def plan(self, training: Training, problem: Problem, objectives: list[Objective]) -> FrontPlan:
        """Build the plan of a training."""
        ...


@dataclass(frozen=True, eq=False)
class Training:
    """One training: the same value gives the same result, on the module that it starts from.

    Parameters
    ----------
    name
        Name of what is trained, for loggers and callbacks, e.g. ``"point_3"``.
    seed
        Seed of all random numbers.
    start
        State from which it begins.
    weights
        Where the weights of the objectives come from.
    max_epochs
        Longest main phase.
    keep_best
        Whether the state that was best on validation cells is kept, rather than the last one.
    frozen
        Whether the encoders are frozen, so that the decoder is fitted to the present codes.
    learning_rate
        Learning rate of the model; None for the recipe's rate of the shared start.
    epochs_before
        Epochs of the shared start before it; they count as settling epochs of the model.
    piece_seeds
        Seeds of pieces of equal length; the state is stored after each piece. Empty for one piece.
    """

    name: str
    seed: int
    start: Start
    weights: WeightsOf
    max_epochs: int
    keep_best: bool = True
    frozen: bool = False
    learning_rate: float | None = None
    epochs_before: int = 0
    piece_seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Trained:
    """Result of a training.

    Parameters
    ----------
    state
        What was trained, on CPU: the state of the module, or of the control points of a path.
    history
        A record of each epoch: losses in nats per cell, and weights.
    loss_ranges
        Smallest and largest loss of a minibatch, for each objective; zeros for one that did not count. After
        a resumption those of the minibatches since.
    n_epochs
        Epochs that were run.
    dead
        Labels of objectives whose critics never left their start, so that the model learned nothing from them.
    """

    state: Any
    history: list[dict[str, float]] = field(repr=False)
    loss_ranges: list[list[float]]
    n_epochs: int
    dead: tuple[str, ...] = ()
