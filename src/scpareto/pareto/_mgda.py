"""Multiple-gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pareto._min_norm import min_norm_combination
from scpareto.pareto._registry import register_solver
from scpareto.pareto._solver import Solver

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@register_solver
class MGDA(Solver):
    r"""Lower all objectives at once, whatever the preference.

    A baseline. Preferences are not used, so that the points of a front differ only by their start and seed and end at
    arbitrary places of the front.

    Notes
    -----
    :math:`\alpha = p \arg\min_{w \in \Delta} w^\top G w`, the shortest convex combination of the gradients, scaled to
    sum to p as the weights of Pareto MTL are; the two are equal while no constraint of Pareto MTL is active. No
    objective rises under a small exact step, and none moves where the shortest combination is zero, which is on the
    front.

    References
    ----------
    :cite:p:`Desideri2012`. Sener & Koltun (2018), Multi-task learning as multi-objective optimization, NeurIPS.

    Examples
    --------
    >>> from scpareto.pareto import get_solver
    >>> get_solver("mgda", preferences=[[0.9, 0.1]]).weights([0.2, 0.4], [[1.0, 0.0], [0.0, 3.0]], [0.9, 0.1])
    array([1.5, 0.5])
    """

    name = "mgda"

    def _weights(
        self, losses: NDArray[np.float64], gramian: NDArray[np.float64] | None, preference: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        assert gramian is not None  # checked by the base class; for the type checker
        return self.n_objectives * min_norm_combination(gramian, np.eye(self.n_objectives))

    def merit(self, losses: ArrayLike, preference: ArrayLike) -> float:
        """Sum of the standardised losses: all objectives count equally, as the preference is not used."""
        return float(np.sum(np.asarray(losses, dtype=np.float64)))
