"""Smooth Tchebycheff scalarisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp, softmax

from scpareto.pareto._registry import register_solver
from scpareto.pareto._running_mean import RunningMeanSolver
from scpareto.pareto._solver import DEFAULT_SAFEGUARDS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from scpareto.pareto._safeguards import Safeguards


@register_solver
class Tchebycheff(RunningMeanSolver):
    r"""Minimise a smooth version of the largest product of importance and loss.

    It reaches the concave parts of a front, and needs neither the Gramian nor weights below zero.

    Parameters
    ----------
    preferences
        Grid of preferences of the whole front, shape ``(K, p)``.
    safeguards
        Limits on the steps; only ``running_mean`` matters here.
    smoothing
        How far the maximum is smoothed, as a share of its value on the ray of the preference at distance one from the
        ideal. Small values aim at the ray exactly but jump between the objectives from step to step; large values
        approach the weighted sum, which ends beside the ray and misses the concave parts of a front.

    Notes
    -----
    With importances :math:`w` and standardised losses :math:`L`, whose ideal is zero, the value is
    :math:`\mu \log \sum_i \exp(w_i L_i / \mu)`. Its gradient
    :math:`\alpha_i \propto w_i \operatorname{softmax}(w L / \mu)_i` gives the weights. They are scaled to sum to p,
    as those of Pareto MTL: this leaves the stationary points as they are and the length of a step independent of the
    preference. For small :math:`\mu` all :math:`w_i L_i` become equal, so a point ends on the ray :math:`L \propto 1/w`
    where the front meets it. On the ray at unit distance each :math:`w_i L_i` is
    :math:`s = \lVert 1 / w \rVert^{-1}`, and :math:`\mu` is ``smoothing`` times :math:`s`. Objectives of no importance
    take no part.

    References
    ----------
    :cite:p:`Lin2024`.

    Examples
    --------
    >>> from scpareto.pareto import get_solver
    >>> get_solver("tchebycheff", preferences=[[0.5, 0.5]]).weights([0.4, 0.4], None, [0.5, 0.5])
    array([1., 1.])
    """

    name = "tchebycheff"
    needs_gramian = False

    def __init__(
        self, preferences: ArrayLike, safeguards: Safeguards = DEFAULT_SAFEGUARDS, *, smoothing: float = 0.1
    ) -> None:
        super().__init__(preferences, safeguards)
        if not (np.isfinite(smoothing) and smoothing > 0):
            raise ValueError(f"smoothing must be a positive number, got {smoothing!r}.")
        self.smoothing = smoothing

    def _weights(
        self, losses: NDArray[np.float64], gramian: NDArray[np.float64] | None, preference: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        smoothed = self._smooth(losses, self._nearest_row(preference))
        counts = preference > 0
        importance = preference[counts]
        alpha = np.zeros(self.n_objectives)
        alpha[counts] = importance * softmax(importance * smoothed[counts] / self._temperature(importance))
        return self.n_objectives * alpha / alpha.sum()

    def merit(self, losses: ArrayLike, preference: ArrayLike) -> float:
        """Smooth Tchebycheff value of standardised losses, which is what this solver minimises."""
        values, importances = np.asarray(losses, dtype=np.float64), np.asarray(preference, dtype=np.float64)
        counts = importances > 0
        temperature = self._temperature(importances[counts])
        return float(temperature * logsumexp(importances[counts] * values[counts] / temperature))

    def _temperature(self, importance: NDArray[np.float64]) -> float:
        # Relative to the smallest, so that a tiny importance does not overflow.
        smallest = importance.min()
        return float(self.smoothing * smallest / np.linalg.norm(smallest / importance))
