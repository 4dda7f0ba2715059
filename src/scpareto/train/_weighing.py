"""Weights of the objectives at each step: fixed for extremes, from a solver for the points between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from scpareto.pareto import Scaler, Solver


class Weighing(ABC):
    """Weights of the objectives of each step of one training.

    Parameters
    ----------
    active
        Whether each objective has a weight; inactive objectives are not computed.
    """

    needs_gramian = False
    needs_losses = True
    """Whether weights depend on the losses of the step; reading these means waiting for a GPU."""
    in_main_phase = True
    max_initial_epochs = 0

    def __init__(self, active: list[bool]) -> None:
        self.active = active

    def scale(self, losses: list[Tensor | None]) -> list[Tensor | None]:
        """Standardise the losses."""
        return losses

    @abstractmethod
    def weights(self, losses: NDArray[np.float64] | None, gramian: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return weights ``(p,)`` for standardised losses ``(p,)``, or for None if losses are not needed."""

    @abstractmethod
    def merit(self, losses: NDArray[np.float64]) -> float:
        """Return one number for raw validation losses ``(p,)``; lower is better."""

    def standardised_gain(self, gain: float) -> float:
        """Convert nats of the generative loss to the unit of the merit."""
        return gain

    def end_epoch(self) -> None:
        """Count an epoch."""
        return


class FixedWeighing(Weighing):
    """Constant weights on raw losses.

    Parameters
    ----------
    weights
        Weight of each objective; those with weight 0 are not computed.
    """

    needs_losses = False

    def __init__(self, weights: ArrayLike) -> None:
        self._weights = np.asarray(weights, dtype=float)
        super().__init__([bool(weight) for weight in self._weights])

    def weights(self, losses: NDArray[np.float64] | None, gramian: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return the fixed weights."""
        return self._weights

    def merit(self, losses: NDArray[np.float64]) -> float:
        """Return the weighted sum of the losses with a weight."""
        active = self._weights != 0
        return float(self._weights[active] @ losses[active])


class SolverWeighing(Weighing):
    """Weights that a solver finds for one preference, on standardised losses.

    Parameters
    ----------
    solver
        A new solver for this training.
    preference
        Importance of each objective, shape ``(p,)``.
    scaler
        Standardises the losses of training minibatches.
    max_initial_epochs
        Largest number of epochs of the initial phase.
    validation_scaler
        Standardises losses of validation cells, which are higher than those of training cells; None for the same
        scaler.
    """

    def __init__(
        self,
        solver: Solver,
        preference: NDArray[np.float64],
        scaler: Scaler,
        *,
        max_initial_epochs: int,
        validation_scaler: Scaler | None = None,
    ) -> None:
        super().__init__([True] * len(preference))
        self.solver = solver
        self.preference = preference
        self.scaler = scaler
        self.validation_scaler = scaler if validation_scaler is None else validation_scaler
        self.needs_gramian = solver.needs_gramian
        self.max_initial_epochs = max_initial_epochs
        self._initial_epochs_left = max_initial_epochs
        if max_initial_epochs == 0:
            solver.end_initial_phase()

    @property
    def in_main_phase(self) -> bool:  # type: ignore[override]
        """Whether epochs count towards the length of the training."""
        return self.solver.phase == "main"

    def scale(self, losses: list[Tensor | None]) -> list[Tensor | None]:
        """Standardise each loss with the scaler of the front."""
        return standardise_losses(losses, self.scaler)

    def weights(self, losses: NDArray[np.float64] | None, gramian: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return the weights of the solver; if only some objectives have a gradient, weights 1 on these."""
        assert losses is not None
        if gramian is not None:
            has_no_gradient = np.diag(gramian) == 0
            if has_no_gradient.any() and not has_no_gradient.all():
                return np.where(has_no_gradient, 0.0, 1.0)
        return self.solver.weights(losses, gramian, self.preference)

    def merit(self, losses: NDArray[np.float64]) -> float:
        """Return the solver's merit of the standardised losses."""
        return self.solver.merit(self.validation_scaler.scale(losses), self.preference)

    def standardised_gain(self, gain: float) -> float:
        """Convert nats of the generative loss to the unit of its standardised values."""
        return gain / float(self.validation_scaler.range[0])

    def end_epoch(self) -> None:
        """Count an epoch, and end the initial phase at its largest length."""
        if self.solver.phase == "initial":
            self._initial_epochs_left -= 1
            if self._initial_epochs_left <= 0:
                self.solver.end_initial_phase()


def standardise_losses(losses: list[Tensor | None], scaler: Scaler) -> list[Tensor | None]:
    """Standardise losses; None stays None."""
    limits = zip(scaler.minimum, scaler.range, losses, strict=True)
    return [None if loss is None else (loss - low) / width for low, width, loss in limits]
