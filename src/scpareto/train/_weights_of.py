"""Descriptions of the weights of a training: fixed, from a solver, or along a path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import Scaler, get_solver
from scpareto.train._path_plan import PathPlan, PathWeighing
from scpareto.train._plan import FrontPlan
from scpareto.train._weighing import FixedWeighing, SolverWeighing, Weighing

if TYPE_CHECKING:
    from scpareto.objectives import Objective
    from scpareto.train._problem import Problem
    from scpareto.train._recipe import Recipe
    from scpareto.train._training import Training


@dataclass(frozen=True)
class Fixed:
    """Constant weights on raw losses; an objective with weight 0 is not computed."""

    weights: tuple[float, ...]

    @classmethod
    def alone(cls, which: int, n_objectives: int) -> Fixed:
        """Return weights with all weight on one objective, given by its number."""
        return cls(tuple(np.eye(n_objectives)[which].tolist()))

    @property
    def n_objectives(self) -> int:
        """Number of weights."""
        return len(self.weights)

    def plan(self, training: Training, problem: Problem, objectives: list[Objective]) -> FrontPlan:
        """Build a plan with these weights."""
        return _plan(FixedWeighing(self.weights), training, problem, objectives)


@dataclass(frozen=True, eq=False)
class BySolver:
    """Weights that a solver finds for one preference, on standardised losses.

    Parameters
    ----------
    method, preferences
        Name of the solver, and the preferences of all points, shape ``(n_points, p)``.
    preference
        Importance of each objective, shape ``(p,)``.
    scalers
        Standardise the losses of training minibatches and of validation cells.
    max_initial_epochs
        Largest number of epochs of the initial phase.
    options
        Options of the solver.
    """

    method: str
    preferences: np.ndarray
    preference: np.ndarray
    scalers: tuple[Scaler, Scaler]
    max_initial_epochs: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def n_objectives(self) -> int:
        """Number of importances."""
        return len(self.preference)

    def plan(self, training: Training, problem: Problem, objectives: list[Objective]) -> FrontPlan:
        """Build a plan with a new solver."""
        solver = get_solver(self.method, preferences=self.preferences, **self.options)
        weighing = SolverWeighing(
            solver,
            self.preference,
            self.scalers[0],
            max_initial_epochs=self.max_initial_epochs,
            validation_scaler=self.scalers[1],
        )
        return _plan(weighing, training, problem, objectives)


@dataclass(frozen=True, eq=False)
class AlongPath:
    """Weights of a new preference for every minibatch, along a path through the weights of the network.

    Parameters
    ----------
    scaler
        Standardises losses.
    """

    scaler: Scaler

    @property
    def n_objectives(self) -> int:
        """Number of standardised losses."""
        return len(self.scaler.minimum)

    def plan(self, training: Training, problem: Problem, objectives: list[Objective]) -> FrontPlan:
        """Build the plan of a path.

        Raises
        ------
        ValueError
            If encoders are frozen: all weights change along a path.
        """
        if training.frozen:
            raise ValueError("frozen=True: a path moves all weights, those of the encoders too.")
        recipe = get_recipe(training, problem)
        return PathPlan(problem.adapter, objectives, PathWeighing(self.scaler), recipe, lr=training.learning_rate)


def get_recipe(training: Training, problem: Problem) -> Recipe:
    """Return the recipe of a training: that of the front, without early stopping if the last state is wanted."""
    return problem.recipe if training.keep_best else problem.recipe.with_options({"early_stopping": False})


def _plan(weighing: Weighing, training: Training, problem: Problem, objectives: list[Objective]) -> FrontPlan:
    recipe = get_recipe(training, problem)
    frozen = problem.adapter.encoders() if training.frozen else None
    return FrontPlan(problem.adapter, objectives, weighing, recipe, frozen=frozen, lr=training.learning_rate)
