r"""Poisson models of counts with one factor for each gene and batch, fitted by coordinate ascent.

In stratum :math:`s` and batch :math:`k` counts have mean :math:`N_{sk} \mu_{gs} \delta_{gk}`, :math:`N` being the
exposure. Sums over batches and over strata are sufficient, so that no array of genes by strata by batches is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scpareto.pp._pseudobulk import Pseudobulk

_MAX_LOG_EFFECT = np.log(1e3)
_EPSILON = 1e-12


@dataclass(frozen=True)
class Fit:
    """Estimates.

    Parameters
    ----------
    log_effect
        Log batch effects, shape ``(n_genes, n_batches)``, not centred.
    log_likelihood
        Log likelihood after each iteration, plus the log density of the priors, without constant terms.
    converged
        Whether the likelihood has converged.
    """

    log_effect: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    converged: bool


@dataclass(frozen=True)
class Variant:
    """A model: function for the fit, parameter of its Gamma priors, and whether it learns effects from donors."""

    fit: Callable[[Pseudobulk, float, float, int, float], Fit]
    prior: float
    learns_from_donors: bool = False


def _fit_tied(data: Pseudobulk, discount: float, prior: float, max_iter: int, tol: float) -> Fit:
    """Fit with donors as observations of their own batch in the stratum of the matched cell."""
    by_stratum = data.by_stratum + discount * data.donated_by_stratum
    by_batch = data.by_batch + discount * data.donated_by_batch
    exposure = data.exposure + discount * data.donated_exposure
    effect = np.ones_like(by_batch)
    trace: list[float] = []
    total = by_batch.sum()
    while len(trace) < max_iter and not _has_converged(trace, tol, total):
        mean = (prior + by_stratum) / np.maximum(prior + effect @ exposure.T, _EPSILON)
        effect = (prior + by_batch) / np.maximum(prior + mean @ exposure, _EPSILON)
        trace.append(
            _linear_term(by_stratum, mean)
            + _linear_term(by_batch, effect)
            - ((mean @ exposure) * effect).sum()
            + _log_prior(prior, mean, effect)
        )
    return Fit(_bounded_log(effect), np.array(trace), _has_converged(trace, tol, total))


def _fit_two_way(data: Pseudobulk, discount: float, prior: float, max_iter: int, tol: float) -> Fit:
    """Fit without donors: a log-linear model of strata and batches."""
    return _fit_tied(data, 0.0, prior, max_iter, tol)


def _fit_free_counterfactual(data: Pseudobulk, discount: float, prior: float, max_iter: int, tol: float) -> Fit:
    """Fit with a separate factor for donors in every stratum, as in the note."""
    donated, size = data.donated_by_stratum, data.donated_exposure.sum(axis=1)
    effect, factor = np.ones_like(data.by_batch), np.ones_like(donated)
    trace: list[float] = []
    total = data.by_batch.sum() + donated.sum()
    while len(trace) < max_iter and not _has_converged(trace, tol, total):
        expected = effect @ data.exposure.T + size * factor
        mean = (prior + data.by_stratum + donated) / np.maximum(prior + expected, _EPSILON)
        factor = (prior + donated) / np.maximum(prior + size * mean, _EPSILON)
        effect = (prior + data.by_batch) / np.maximum(prior + mean @ data.exposure, _EPSILON)
        trace.append(
            _linear_term(data.by_stratum + donated, mean)
            + _linear_term(donated, factor)
            + _linear_term(data.by_batch, effect)
            - ((mean @ data.exposure) * effect).sum()
            - (mean * size * factor).sum()
            + _log_prior(prior, mean, effect, factor)
        )
    return Fit(_bounded_log(effect), np.array(trace), _has_converged(trace, tol, total))


VARIANTS: dict[str, Variant] = {
    "tied": Variant(_fit_tied, 1e-4, learns_from_donors=True),
    "two_way": Variant(_fit_two_way, 1e-4),
    "note_code": Variant(_fit_free_counterfactual, 0.0),
    "gamma_prior": Variant(_fit_free_counterfactual, 1.0),
}


def center_effects(
    log_effect: NDArray[np.float64], by_batch: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shift log effects to mean 0 over batches, weighted by their cells.

    Parameters
    ----------
    log_effect
        Shape ``(n_genes, n_batches)``.
    by_batch
        Counts, same shape. A gene without counts in a batch has no estimate there: its effect is 0, and the mean is
        over the other batches.
    share
        Share of cells of each batch, shape ``(n_batches,)``.
    """
    weight = share * (by_batch > 0)
    total = weight.sum(axis=1, keepdims=True)
    mean = (weight * log_effect).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    return np.where(by_batch > 0, log_effect - mean, 0.0)


def _linear_term(counts: NDArray[np.float64], factor: NDArray[np.float64]) -> float:
    """Return the term of the log likelihood that is linear in counts; factors of zero counts are ignored."""
    return float((counts * np.log(np.where(counts > 0, np.maximum(factor, _EPSILON), 1.0))).sum())


def _log_prior(prior: float, *parameters: NDArray[np.float64]) -> float:
    """Return the log density whose mode the updates find.

    The updates are posterior means, which equal modes under a Gamma prior with a shape larger by one.
    """
    return prior * sum(float((np.log(np.maximum(values, _EPSILON)) - values).sum()) for values in parameters)


def _has_converged(trace: list[float], tol: float, total: float) -> bool:
    # Terms of the likelihood can cancel, so the change is at least measured relative to the total counts.
    return len(trace) > 1 and abs(trace[-1] - trace[-2]) < tol * max(abs(trace[-1]), total)


def _bounded_log(effect: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(np.log(np.maximum(effect, _EPSILON)), -_MAX_LOG_EFFECT, _MAX_LOG_EFFECT)
