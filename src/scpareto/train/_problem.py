"""The data and settings that all trainings of a front share, and the start of one training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scpareto._constants import GENERATIVE_LOSS

if TYPE_CHECKING:
    from scvi.data import AnnDataManager
    from torch import Tensor

    from scpareto._cells import Split, Stream
    from scpareto.objectives import Objective
    from scpareto.train._adapter import VAEAdapter
    from scpareto.train._recipe import Recipe

State = dict[str, "Tensor"]
"""Weights and running statistics of a module, by name."""


@dataclass(frozen=True)
class Problem:
    """Model, data and settings that all trainings of a front share.

    Parameters
    ----------
    adapter, manager, split
        The model, its registered data and the split of the cells.
    objectives
        Objectives that are traded against the generative loss. They stay untrained: every training copies them.
    recipe
        Numbers of the trainings.
    batch_size
        Cells of a minibatch.
    trainer_kwargs
        Passed to :class:`scvi.train.Trainer`.
    loader_kwargs
        Passed to scvi-tools' data loaders.
    stream
        Reads the training cells of a data module; the registered data are then its cells in memory.
    """

    adapter: VAEAdapter
    manager: AnnDataManager
    split: Split
    objectives: tuple[Objective, ...]
    recipe: Recipe
    batch_size: int
    trainer_kwargs: dict[str, Any]
    loader_kwargs: dict[str, Any] = field(default_factory=dict)
    stream: Stream | None = None

    @property
    def names(self) -> list[str]:
        """Names of the objectives, generative loss first."""
        return [GENERATIVE_LOSS, *(objective.label for objective in self.objectives)]


@dataclass(frozen=True)
class Start:
    """Start of a training.

    Parameters
    ----------
    module
        State of the module; None for the one that it is in.
    objectives
        States of the objectives, with critics trained on the codes of this module; None for untrained ones.
    """

    module: State | None = None
    objectives: tuple[State, ...] | None = None


def load_start(problem: Problem, start: Start, n_others: int | None = None) -> list[Objective]:
    """Load a start into the module; return copies of the objectives in the state of the start.

    Parameters
    ----------
    problem
        Model, data and settings.
    start
        The start.
    n_others
        Number of objectives that are needed besides the generative loss; None for all.
    """
    if start.module is not None:
        problem.adapter.module.load_state_dict(start.module)
    objectives = [objective.fresh() for objective in problem.objectives[:n_others]]
    if start.objectives is not None:
        for objective, state in zip(objectives, start.objectives, strict=True):
            objective.load_state_dict(state)
    return objectives
