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

_BOUND = np.log(1e3)
_TINY = 1e-12


@dataclass(frozen=True)
class Fit:
    """Estimates.

    Parameters
    ----------
    log_effect
        Log batch effects, shape ``(n_genes, n_batches)``, not centred.
    log_likelihood
        After each iteration, plus the log density of the priors, without terms that do not depend on parameters.
    converged
        Whether the likelihood had come to rest.
    """

    log_effect: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    converged: bool


@dataclass(frozen=True)
class Variant:
    """A model: how it is fitted, the parameter of its Gamma priors, and whether donors say something about effects."""

    fit: Callable[[Pseudobulk, float, float, int, float], Fit]
    prior: float
    learns_from_donors: bool = False


def _fit_tied(data: Pseudobulk, discount: float, prior: float, max_iter: int, tol: float) -> Fit:
    """Donors are observations of their own batch in the stratum of the cell that they stand in for."""
    by_stratum = data.by_stratum + discount * data.donated_by_stratum
    by_batch = data.by_batch + discount * data.donated_by_batch
    exposure = data.exposure + discount * data.donated_exposure
    effect = np.ones_like(by_batch)
    trace: list[float] = []
    total = by_batch.sum()
    while len(trace) < max_iter and not _rests(trace, tol, total):
        mean = (prior + by_stratum) / np.maximum(prior + effect @ exposure.T, _TINY)
        effect = (prior + by_batch) / np.maximum(prior + mean @ exposure, _TINY)
        trace.append(
            _explained(by_stratum, mean)
            + _explained(by_batch, effect)
            - ((mean @ exposure) * effect).sum()
            + _log_prior(prior, mean, effect)
        )
    return Fit(_bounded_log(effect), np.array(trace), _rests(trace, tol, total))


def _fit_two_way(data: Pseudobulk, discount: float, prior: float, max_iter: int, tol: float) -> Fit:
    """No donors at all: a log-linear model of strata and batches."""
    return _fit_tied(data, 0.0, prior, max_iter, tol)


def _fit_free_counterfactual(data: Pseudobulk, discount: float, prior: float, max_iter: int, tol: float) -> Fit:
    """Donors have a factor of their own in every stratum, as in the note."""
    donated, size = data.donated_by_stratum, data.donated_exposure.sum(axis=1)
    effect, factor = np.ones_like(data.by_batch), np.ones_like(donated)
    trace: list[float] = []
    total = data.by_batch.sum() + donated.sum()
    while len(trace) < max_iter and not _rests(trace, tol, total):
        expected = effect @ data.exposure.T + size * factor
        mean = (prior + data.by_stratum + donated) / np.maximum(prior + expected, _TINY)
        factor = (prior + donated) / np.maximum(prior + size * mean, _TINY)
        effect = (prior + data.by_batch) / np.maximum(prior + mean @ data.exposure, _TINY)
        trace.append(
            _explained(data.by_stratum + donated, mean)
            + _explained(donated, factor)
            + _explained(data.by_batch, effect)
            - ((mean @ data.exposure) * effect).sum()
            - (mean * size * factor).sum()
            + _log_prior(prior, mean, effect, factor)
        )
    return Fit(_bounded_log(effect), np.array(trace), _rests(trace, tol, total))


VARIANTS: dict[str, Variant] = {
    "tied": Variant(_fit_tied, 1e-4, learns_from_donors=True),
    "two_way": Variant(_fit_two_way, 1e-4),
    "note_code": Variant(_fit_free_counterfactual, 0.0),
    "gamma_prior": Variant(_fit_free_counterfactual, 1.0),
}


def centred(
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


def _explained(counts: NDArray[np.float64], factor: NDArray[np.float64]) -> float:
    """Part of the log likelihood that is linear in counts; no counts need no factor."""
    return float((counts * np.log(np.where(counts > 0, np.maximum(factor, _TINY), 1.0))).sum())


def _log_prior(prior: float, *parameters: NDArray[np.float64]) -> float:
    """Log density whose mode the updates with a prior find: theirs are posterior means, one more in shape."""
    return prior * sum(float((np.log(np.maximum(values, _TINY)) - values).sum()) for values in parameters)


def _rests(trace: list[float], tol: float, total: float) -> bool:
    # Terms of a likelihood can cancel; the counts that it explains are the least that a change is measured against.
    return len(trace) > 1 and abs(trace[-1] - trace[-2]) < tol * max(abs(trace[-1]), total)


def _bounded_log(effect: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(np.log(np.maximum(effect, _TINY)), -_BOUND, _BOUND)
