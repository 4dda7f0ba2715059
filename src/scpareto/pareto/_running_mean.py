"""Running means of the losses, for solvers whose weights depend on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto._preferences import preference_rays
from scpareto.pareto._solver import DEFAULT_SAFEGUARDS, Solver

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto._safeguards import Safeguards


class RunningMeanSolver(Solver):
    """Solver whose weights depend on a running mean of the losses for each row of the grid.

    Parameters
    ----------
    preferences
        Grid of preferences of the whole front, shape ``(K, p)``.
    safeguards
        Limits on the steps; ``running_mean`` is the momentum of the means.
    """

    def __init__(self, preferences: ArrayLike, safeguards: Safeguards = DEFAULT_SAFEGUARDS) -> None:
        super().__init__(preferences, safeguards)
        self._rays = preference_rays(self.preferences)
        self._running: dict[int, NDArray[np.float64]] = {}

    def _nearest_row(self, preference: NDArray[np.float64]) -> int:
        """Row of the grid whose ray is nearest to that of a preference, which may be off the grid."""
        return int(np.argmax(self._rays @ preference_rays(preference[None])[0]))

    def _smooth(self, losses: NDArray[np.float64], row: int) -> NDArray[np.float64]:
        """Update the running mean of a row with new losses and return it."""
        momentum = self.safeguards.running_mean
        if momentum is None:
            return losses
        previous = self._running.get(row, losses)
        self._running[row] = momentum * previous + (1 - momentum) * losses
        return self._running[row]

    def state_dict(self) -> dict[str, Any]:
        """Phase and running means, as plain values."""
        return {**super().state_dict(), "running_losses": {row: mean.tolist() for row, mean in self._running.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state of :meth:`state_dict`."""
        super().load_state_dict(state)
        self._running = {int(row): np.array(mean, dtype=np.float64) for row, mean in state["running_losses"].items()}
