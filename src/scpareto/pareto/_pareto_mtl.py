"""Pareto multi-task learning: one region of loss space per preference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pareto._min_norm import min_norm_combination
from scpareto.pareto._preferences import preference_rays
from scpareto.pareto._registry import register_solver
from scpareto.pareto._running_mean import RunningMeanSolver
from scpareto.pareto._solver import DEFAULT_SAFEGUARDS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto._safeguards import Safeguards


@register_solver
class ParetoMTL(RunningMeanSolver):
    r"""Keep the losses in the cone around the ray of a preference while all objectives descend.

    Parameters
    ----------
    preferences
        Grid of preferences of the whole front, shape ``(K, p)``.
    safeguards
        Limits on the steps.
    epsilon
        A constraint already counts as active this far (in sines of angles) before it is violated. Values above about
        a fifth of ``1 - cos`` of the angle between neighbouring rays stall training: both neighbours of a ray are
        then active at once and nothing descends.
    renormalize
        Scale the weights of the main phase so that their absolute values sum to p.

    Notes
    -----
    Every preference has a unit ray :math:`c_k`. Its sub-problem asks for losses :math:`L` whose angle to
    :math:`c_k` is smallest among all rays, :math:`g_j = (c_j - c_k)^\top L / \lVert L \rVert \le 0` for all
    :math:`j`. In the initial phase the step is the shortest convex combination of the gradients of the violated
    :math:`g_j`; in the main phase the gradients of the objectives join in. Both are combinations
    :math:`\alpha` of the objective gradients, so the inner products of the latter suffice. An :math:`\alpha_i` can be
    negative. The cones need :math:`L \ge 0`: negative losses are clipped, for this test only.

    A preference takes the place of the grid row whose ray is nearest to its own, so one off the grid keeps its
    distance to the neighbouring rays. Running means of the losses are kept per grid row.

    References
    ----------
    :cite:p:`Lin2019`, :cite:p:`Li2022`. Without active constraints: :cite:p:`Desideri2012`; Sener & Koltun (2018),
    Multi-task learning as multi-objective optimization, NeurIPS.
    """

    name = "pareto_mtl"
    has_initial_phase = True

    def __init__(
        self,
        preferences: ArrayLike,
        safeguards: Safeguards = DEFAULT_SAFEGUARDS,
        *,
        epsilon: float = 0.0,
        renormalize: bool = True,
    ) -> None:
        super().__init__(preferences, safeguards)
        if not 0 <= epsilon < 1:
            raise ValueError(f"epsilon must be in [0, 1), got {epsilon!r}.")
        self.epsilon = epsilon
        self.renormalize = renormalize

    def _weights(
        self, losses: NDArray[np.float64], gramian: NDArray[np.float64] | None, preference: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        assert gramian is not None  # checked by the base class; for the type checker
        ray = preference_rays(preference[None])[0]
        row = self._nearest_row(preference)
        smoothed = self._smooth(losses, row)
        constraints = self._active_constraints(smoothed, ray, row)
        if self.phase == "initial":
            if len(constraints):
                return self._drop_harmful_ascent(min_norm_combination(gramian, constraints), smoothed)
            self.end_initial_phase()
        alpha = min_norm_combination(gramian, np.vstack([np.eye(self.n_objectives), constraints]))
        alpha = self._drop_harmful_ascent(alpha, smoothed)
        return self._renormalize(alpha) if self.renormalize else alpha

    def _active_constraints(
        self, losses: NDArray[np.float64], ray: NDArray[np.float64], row: int
    ) -> NDArray[np.float64]:
        """Coefficients of the active constraints in terms of the objectives, shape ``(n_active, p)``."""
        # The constraint of a ray against itself is always zero; with a tolerance it would stop every step.
        differences = np.delete(self._rays, row, axis=0) - ray
        positive = np.maximum(losses, 0)
        length = np.linalg.norm(positive)
        if length == 0:
            # At the ideal point there is no direction to correct.
            return differences[:0]
        active = differences[differences @ (positive / length) > -self.epsilon]
        return active / np.linalg.norm(active, axis=1, keepdims=True) if self.safeguards.unit_constraints else active

    def _drop_harmful_ascent(self, alpha: NDArray[np.float64], losses: NDArray[np.float64]) -> NDArray[np.float64]:
        limit = self.safeguards.max_standardised_loss
        return alpha if limit is None else np.where((alpha < 0) & (losses > limit), 0.0, alpha)

    def _renormalize(self, alpha: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.abs(alpha).sum()
        if total == 0:
            return alpha
        factor = self.n_objectives / total
        limit = self.safeguards.max_amplification
        return alpha * (factor if limit is None else min(factor, limit))
