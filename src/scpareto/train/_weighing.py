"""Where the weights of a step come from: fixed for the extremes, a solver for the points between."""

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
        Whether each objective counts at all; those that do not are not computed.
    """

    needs_gramian = False
    needs_losses = True
    """Whether weights depend on the losses of the step, which a GPU has to be waited for."""
    in_main_phase = True
    max_initial_epochs = 0

    def __init__(self, active: list[bool]) -> None:
        self.active = active

    def scale(self, losses: list[Tensor | None]) -> list[Tensor | None]:
        """Standardise the losses."""
        return losses

    @abstractmethod
    def weights(self, losses: NDArray[np.float64] | None, gramian: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Weights ``(p,)`` for standardised losses ``(p,)``, which are None where they are not needed."""

    @abstractmethod
    def merit(self, losses: NDArray[np.float64]) -> float:
        """One number for validation losses ``(p,)`` as they are; the lower the better."""

    def standardised_gain(self, gain: float) -> float:
        """Nats of the generative loss in the unit of the merit."""
        return gain

    def end_epoch(self) -> None:
        """Count an epoch."""
        return


class FixedWeighing(Weighing):
    """The same weights throughout, on losses as they are.

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
        """Give the fixed weights."""
        return self._weights

    def merit(self, losses: NDArray[np.float64]) -> float:
        """Weighted sum of the losses that count."""
        counts = self._weights != 0
        return float(self._weights[counts] @ losses[counts])


class SolverWeighing(Weighing):
    """Weights that a solver finds for one preference, on standardised losses.

    Parameters
    ----------
    solver
        The solver, fresh for this training.
    preference
        Importance of each objective, shape ``(p,)``.
    scaler
        Standardises the losses of training minibatches.
    max_initial_epochs
        Epochs after which an initial phase ends in any case.
    validation_scaler
        Standardises losses of validation cells, which lie above those of training cells; None for the same scaler.
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
        """Ask the solver; where only some objectives have a gradient at all, step on those."""
        assert losses is not None
        if gramian is not None:
            flat = np.diag(gramian) == 0
            if flat.any() and not flat.all():
                return np.where(flat, 0.0, 1.0)
        return self.solver.weights(losses, gramian, self.preference)

    def merit(self, losses: NDArray[np.float64]) -> float:
        """Merit of the standardised losses in the solver's own geometry."""
        return self.solver.merit(self.validation_scaler.scale(losses), self.preference)

    def standardised_gain(self, gain: float) -> float:
        """Nats of the generative loss in the unit of its standardised values."""
        return gain / float(self.validation_scaler.range[0])

    def end_epoch(self) -> None:
        """End an initial phase that has lasted long enough."""
        if self.solver.phase == "initial":
            self._initial_epochs_left -= 1
            if self._initial_epochs_left <= 0:
                self.solver.end_initial_phase()


def standardise_losses(losses: list[Tensor | None], scaler: Scaler) -> list[Tensor | None]:
    """Standardise the losses that count."""
    limits = zip(scaler.minimum, scaler.range, losses, strict=True)
    return [None if loss is None else (loss - low) / width for low, width, loss in limits]
