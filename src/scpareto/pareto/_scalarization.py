"""Weighted sum of the objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pareto._registry import register_solver
from scpareto.pareto._solver import Solver

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@register_solver
class Scalarization(Solver):
    r"""Fixed weights equal to the preference: :math:`\alpha = \text{preference}`.

    The baseline of Li et al. (2022), BMC Bioinformatics 23:460. It cannot reach the concave parts of a front.
    """

    name = "scalarization"
    needs_gramian = False
    grid = "interior"

    def _weights(
        self, losses: NDArray[np.float64], gramian: NDArray[np.float64] | None, preference: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return preference

    def merit(self, losses: ArrayLike, preference: ArrayLike) -> float:
        """Weighted sum of the standardised losses, which is what this solver minimises."""
        return float(np.asarray(preference, dtype=np.float64) @ np.asarray(losses, dtype=np.float64))
