"""What a front is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scpareto.train._recipe import Recipe


@dataclass(frozen=True)
class FrontSpec:
    """What a front is made of, resolved and checked.

    Parameters
    ----------
    method
        Name of the solver.
    solver_kwargs
        Options of the solver.
    preferences
        Grid, shape ``(n_points, p)``, from uncorrected to strongest.
    recipe
        Numbers of the trainings.
    max_epochs_pretrain, max_epochs
        Longest shared start and longest training of a point.
    batch_size
        Cells of a minibatch.
    seed
        Seed of the front.
    trainer_kwargs
        Passed to :class:`scvi.train.Trainer`.
    warm_start
        Where each point begins: at the shared ``"start"``, or, along the ``"path"``, at the point before it.
    """

    method: str
    solver_kwargs: dict[str, Any]
    preferences: NDArray[np.float64]
    recipe: Recipe
    max_epochs_pretrain: int
    max_epochs: int
    batch_size: int
    seed: int
    trainer_kwargs: dict[str, Any]
    warm_start: str = "start"

    @property
    def n_front(self) -> int:
        """Number of points: the preferences and one extreme for each objective."""
        return sum(self.preferences.shape)

    @property
    def extremes(self) -> list[int]:
        """Numbers of the extremes, one for each objective: the uncorrected one first, the others after the points."""
        return [0, *range(len(self.preferences) + 1, self.n_front)]
