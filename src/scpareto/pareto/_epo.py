"""Exact Pareto optimal search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.pareto._min_norm import min_norm_combination
from scpareto.pareto._registry import register_solver
from scpareto.pareto._running_mean import RunningMeanSolver
from scpareto.pareto._simplex_program import best_combination
from scpareto.pareto._solver import DEFAULT_SAFEGUARDS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto._safeguards import Safeguards

# Smallest share of an objective, used for losses at or below the ideal.
_SMALLEST_SHARE = 1e-6


@register_solver
class EPO(RunningMeanSolver):
    r"""Make all products of importance and loss equal, and descend where they are.

    Parameters
    ----------
    preferences
        Grid of preferences of the whole front, shape ``(K, p)``.
    safeguards
        Limits on the steps; only ``running_mean`` matters here.
    tolerance
        Non-uniformity (in nats) up to which a point counts as on its ray. With two objectives and equal importances
        the default is 0.8 degrees.

    Notes
    -----
    With importances :math:`r` and losses :math:`L \ge 0`, the shares are :math:`s_i = r_i L_i / \sum_j r_j L_j`.
    Their non-uniformity :math:`\mu = \sum_i s_i \log(p s_i)`, the Kullback-Leibler divergence from equal shares, is
    zero exactly on the ray :math:`L \propto 1 / r`. Its gradient is proportional to
    :math:`a_i = r_i (\log(p s_i) - \mu)`. A step along the combination :math:`\alpha \in \Delta` of the gradients
    lowers the losses at the rates :math:`C \alpha`, for the Gramian :math:`C`, and :math:`\mu` at a rate
    proportional to :math:`a^\top C \alpha`. The weights solve a linear program:

    - balance, while :math:`\mu` exceeds the tolerance: maximise :math:`a^\top C \alpha`. The objective with the
      largest share must not rise. Others may rise, at most as fast as steepest descent on :math:`\mu` would let them;
      none may where no combination with non-negative weights lowers :math:`\mu`, which happens while all gradients
      agree.
    - descent, on the ray: maximise :math:`1^\top C \alpha` such that no loss rises.

    So to first order the largest :math:`r_i L_i` never rises, and a loss rises only where that lowers :math:`\mu`. The
    weights are scaled to sum to p. Losses below the ideal count as just above it, for the shares only. Objectives of no
    importance take no part. A solution of a linear program jumps from vertex to vertex, so a point circles around its
    ray at a distance that shrinks with the learning rate.

    References
    ----------
    :cite:p:`Mahapatra2020`. The published program keeps all losses from rising where no rate :math:`(C a)_i` is
    positive; here also where the bounds leave no combination that lowers :math:`\mu`.

    Examples
    --------
    >>> from scpareto.pareto import get_solver
    >>> solver = get_solver("epo", preferences=[[0.5, 0.5]])
    >>> solver.weights([0.9, 0.1], [[1.0, 0.2], [0.2, 1.0]], [0.5, 0.5])
    array([2., 0.])
    """

    name = "epo"

    def __init__(
        self, preferences: ArrayLike, safeguards: Safeguards = DEFAULT_SAFEGUARDS, *, tolerance: float = 1e-4
    ) -> None:
        super().__init__(preferences, safeguards)
        if not (np.isfinite(tolerance) and tolerance >= 0):
            raise ValueError(f"tolerance must be a number of at least 0, got {tolerance!r}.")
        self.tolerance = tolerance

    def _weights(
        self, losses: NDArray[np.float64], gramian: NDArray[np.float64] | None, preference: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        assert gramian is not None  # checked by the base class; for the type checker
        smoothed = self._smooth(losses, self._nearest_row(preference))
        counts = np.flatnonzero(preference > 0)
        c = gramian[np.ix_(counts, counts)]
        combination = self._balance(smoothed[counts], c, preference[counts])
        alpha = np.zeros(self.n_objectives)
        alpha[counts] = _descent(c) if combination is None else combination
        return self.n_objectives * alpha

    def _balance(
        self, losses: NDArray[np.float64], c: NDArray[np.float64], importance: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        """Lower the non-uniformity as fast as possible, or else raise it as little as possible; None on the ray."""
        products = importance * np.maximum(losses, 0)
        if not products.any():
            # At the ideal point there is no direction to correct.
            return None
        shares = np.maximum(products / products.max(), _SMALLEST_SHARE)
        shares /= shares.sum()
        logs = np.log(len(shares) * shares)
        non_uniformity = shares @ logs
        if non_uniformity <= self.tolerance:
            return None
        rates = c @ (importance * (logs - non_uniformity))
        if not rates.any():
            return None
        bounds = np.where(rates > 0, -np.inf, rates)
        bounds[shares == shares.max()] = 0
        combination = best_combination(rates, c, bounds)
        if combination is None or combination @ rates <= 0:
            combination = best_combination(rates, c, np.zeros(len(c)))
        return combination


def _descent(c: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower the sum of the losses as fast as possible while none rises."""
    combination = best_combination(c.sum(axis=0), c, np.zeros(len(c))) if len(c) > 1 and c.any() else None
    # The shortest combination is always feasible, up to rounding, and even-handed where there is nothing to gain.
    return min_norm_combination(c, np.eye(len(c))) if combination is None else combination
