"""Specification of a front."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto import solver_class

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FrontSpec:
    """Specification of a front, with all defaults resolved and checked.

    Parameters
    ----------
    method, solver_kwargs
        Name and options of the solver.
    preferences
        Grid between the extremes, shape ``(n_preferences, p)``, from uncorrected to strongest.
    max_epochs_pretrain, max_epochs
        Longest shared start and longest training of a point.
    seed
        Seed of the front.
    warm_start
        Where each point begins: at the shared ``"start"``, or, along the ``"path"``, at the point before it.
    grid_given
        Whether the user gave the grid.
    alone
        Whether only the generative loss is trained because the nuisance has one value; the front then has one point.
    places
        Preferences of all points, extremes included, shape ``(n_front, p)``, if they were chosen after the training;
        None for the grid.
    """

    method: str
    solver_kwargs: dict[str, Any]
    preferences: NDArray[np.float64]
    max_epochs_pretrain: int
    max_epochs: int
    seed: int
    warm_start: str = "start"
    grid_given: bool = False
    alone: bool = False
    places: NDArray[np.float64] | None = None

    @property
    def along_path(self) -> bool:
        """Whether one training learns all preferences."""
        return not self.alone and solver_class(self.method).along_path

    @property
    def n_objectives(self) -> int:
        """Number of objectives, generative loss included."""
        return self.preferences.shape[1]

    @property
    def n_front(self) -> int:
        """Number of points: the preferences and one extreme per objective; one if nothing is traded."""
        return 1 if self.alone else sum(self.preferences.shape)

    @property
    def extremes(self) -> list[int]:
        """Numbers of the extremes, one for each objective: the uncorrected one first, the others after the points."""
        return [0] if self.alone else [0, *range(len(self.preferences) + 1, self.n_front)]

    @property
    def candidates(self) -> list[int]:
        """Numbers of the points between the extremes."""
        return [] if self.alone else list(range(1, len(self.preferences) + 1))

    @property
    def n_epochs_whole(self) -> int:
        """Longest training of one model, shared start included."""
        return self.max_epochs_pretrain + self.max_epochs

    @property
    def n_epochs(self) -> int:
        """Epochs of all trainings, refits of decoders included, if none stops early."""
        n_trainings = 1 if self.along_path or self.alone else len(self.preferences) + 2 * self.n_objectives - 1
        return self.max_epochs_pretrain + self.max_epochs * n_trainings

    def preference(self, number: int) -> NDArray[np.float64]:
        """Return the importance of each objective at a point, shape ``(p,)``."""
        if self.places is not None:
            return self.places[number]
        # If nothing is traded, the first extreme is the only point.
        extremes = dict(zip(self.extremes, np.eye(self.n_objectives), strict=not self.alone))
        return extremes[number] if number in extremes else self.preferences[number - 1]

    def apart(self, method: str) -> FrontSpec:
        """Return the specification of the same points trained separately, each for half as long as the one training."""
        return replace(self, method=method, max_epochs=-(-self.max_epochs // 2), places=None)
