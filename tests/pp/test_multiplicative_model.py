from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scpareto.pp._multiplicative_model import VARIANTS, center_effects
from scpareto.pp._pseudobulk import Pseudobulk


def fit(sums: Pseudobulk, variant: str, *, prior: float | None = None, max_iter: int = 100, tol: float = 0.0):
    chosen = VARIANTS[variant]
    return chosen.fit(sums, 1.0, chosen.prior if prior is None else prior, max_iter, tol)


def correlation(first: np.ndarray, second: np.ndarray) -> list[float]:
    """By batch."""
    return [np.corrcoef(a, b)[0, 1] for a, b in zip(first.T, second.T, strict=True)]


def contrast(log_effect: np.ndarray) -> np.ndarray:
    return log_effect[:, 0] - log_effect[:, 1]


def rises(trace: np.ndarray) -> bool:
    return bool((np.diff(trace) >= -1e-9 * abs(trace[-1])).all())


def printed(toy, *, own_factor: bool, doubled: bool, n_iter: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """The algorithm as the note prints it: log effects and likelihood, by which it is wrong.

    ``own_factor`` sets gamma from the observed mean instead of the donors' mean; ``doubled`` multiplies the means of
    each stratum and batch, which are shares of the stratum already, by the number of cells once more.
    """
    sums, size = toy.sums, toy.sums.exposure.sum(axis=1)
    observed, donated, share = sums.by_stratum / size, sums.donated_by_stratum / size, sums.exposure / size[:, None]
    numerator = sums.by_batch
    if doubled:
        counts = toy.adata.X.toarray()
        numerator = np.zeros_like(sums.by_batch)
        for s, k in np.argwhere(sums.exposure > 0):
            chosen = (toy.stratum == s) & (toy.batch == k)
            numerator[:, k] += counts[chosen].sum(axis=0) / size[s] * sums.exposure[s, k]
    effect, factor, trace = np.ones_like(sums.by_batch), np.ones_like(observed), []
    for _ in range(n_iter):
        mean = (observed + donated) / (effect @ share.T + factor)
        factor = (observed if own_factor else donated) / mean
        effect = numerator / (mean @ sums.exposure)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = (
                (sums.by_stratum + sums.donated_by_stratum) * np.log(mean),
                sums.donated_by_stratum * np.log(factor),
                sums.by_batch * np.log(effect),
            )
        explained = sum(np.nansum(np.where(np.isfinite(term), term, 0.0)) for term in terms)
        trace.append(explained - ((mean @ sums.exposure) * effect).sum() - (mean * size * factor).sum())
    return np.log(effect), np.array(trace)


def test_published_numbers_of_the_notes_code(toy):
    """Correlation with W .66 to .69, whose ceiling is .707; contrasts right; means nearer to the truth."""
    found = fit(toy.sums, "note_code")
    assert all(0.65 < r < 0.70 for r in correlation(found.log_effect, toy.effect))
    slope, _ = np.polyfit(contrast(toy.effect), contrast(found.log_effect), 1)
    assert np.corrcoef(contrast(found.log_effect), contrast(toy.effect))[0, 1] > 0.998
    assert slope == pytest.approx(1.01, abs=0.015)
    assert np.abs(correlation(found.log_effect, toy.mean)).max() < 0.07
    before, after = (correlation(m, toy.mean) for m in (toy.log_means, toy.log_means - found.log_effect))
    assert all(0.38 < r < 0.45 for r in before)
    assert all(0.50 < r < 0.54 for r in after)
    assert rises(found.log_likelihood)


def test_published_numbers_of_the_other_variants(toy):
    """Priors shrink towards a level that genes have in common, and let expression leak into the effects."""
    prior, tied, two_way = (fit(toy.sums, name) for name in ("gamma_prior", "tied", "two_way"))
    assert all(0.81 < r < 0.83 for r in correlation(prior.log_effect, toy.effect))
    assert all(0.12 < r < 0.25 for r in correlation(prior.log_effect, toy.mean))
    for found in (prior, tied, two_way):
        assert np.corrcoef(contrast(found.log_effect), contrast(toy.effect))[0, 1] > 0.998
        assert rises(found.log_likelihood)
    for found in (tied, two_way):
        assert np.abs(correlation(found.log_effect, toy.mean)).max() < 0.07
        assert all(0.63 < r < 0.70 for r in correlation(found.log_effect, toy.effect))


@pytest.mark.parametrize("variant", VARIANTS)
def test_likelihood_never_falls_without_priors(toy, variant):
    assert rises(fit(toy.sums, variant, prior=0.0, max_iter=40).log_likelihood)


def test_printed_updates_lower_the_likelihood(toy):
    """Each of the two slips of the printed text; without either it is the note's code, digit for digit."""
    effect, trace = printed(toy, own_factor=False, doubled=False)
    assert rises(trace)
    np.testing.assert_allclose(effect, fit(toy.sums, "note_code").log_effect, atol=1e-9)
    for slips in ({"own_factor": True, "doubled": False}, {"own_factor": True, "doubled": True}):
        effect, trace = printed(toy, **slips)
        assert not rises(trace)
        assert abs(np.polyfit(contrast(toy.effect), contrast(effect), 1)[0] - 1) > 0.15
    effect, trace = printed(toy, own_factor=False, doubled=True)
    assert not rises(trace)
    # The scale of all effects drifts to zero: n_sk / n_s is about a half.
    assert np.median(effect) < np.median(fit(toy.sums, "note_code").log_effect) - 0.5


def random_sums(rng: np.random.Generator, n_genes: int = 30, n_strata: int = 8, n_batches: int = 3) -> Pseudobulk:
    """Sums with all batches in all strata."""
    own, lent = rng.gamma(5, 4, (2, n_strata, n_batches))
    rate = rng.gamma(2, 1, (n_genes, n_strata, 1)) * rng.lognormal(0, 1, (n_genes, 1, n_batches))
    observed, donated = rng.poisson(rate * own), rng.poisson(rate * lent)
    return Pseudobulk(
        observed.sum(axis=2) * 1.0,
        observed.sum(axis=1) * 1.0,
        own,
        donated.sum(axis=2) * 1.0,
        donated.sum(axis=1) * 1.0,
        lent,
    )


def test_free_counterfactuals_say_nothing_at_convergence():
    """The factor of the donors is saturated: what is left is the two-way model of the observed counts."""
    sums = random_sums(np.random.default_rng(0))
    share = np.full(3, 1 / 3)
    free, two_way = (
        center_effects(fit(sums, name, prior=0.0, max_iter=5000).log_effect, sums.by_batch, share)
        for name in ("note_code", "two_way")
    )
    np.testing.assert_allclose(free, two_way, atol=1e-6)


def test_two_way_fit_solves_the_likelihood_equations():
    sums = random_sums(np.random.default_rng(1))
    effect = np.exp(fit(sums, "two_way", prior=0.0, max_iter=2000).log_effect)
    mean = sums.by_stratum / (effect @ sums.exposure.T)
    np.testing.assert_allclose(mean @ sums.exposure * effect, sums.by_batch, rtol=1e-9)


def test_tied_with_donors_that_repeat_the_data_is_the_two_way_fit():
    sums = random_sums(np.random.default_rng(2))
    repeated = replace(
        sums, donated_by_stratum=sums.by_stratum, donated_by_batch=sums.by_batch, donated_exposure=sums.exposure
    )
    tied, two_way = (fit(repeated, name, prior=0.0, max_iter=500).log_effect for name in ("tied", "two_way"))
    np.testing.assert_allclose(tied, two_way, atol=1e-9)


def test_donors_link_batches_that_share_no_stratum():
    """Two strata of one batch each, with true effects of log 3: only donors can tell."""
    none = np.zeros((1, 2))
    sums = Pseudobulk(np.array([[30.0, 20.0]]), np.array([[30.0, 20.0]]), np.diag([10.0, 20.0]), none, none, none)
    linked = replace(
        sums,
        donated_by_stratum=np.array([[10.0, 60.0]]),
        donated_by_batch=np.array([[60.0, 10.0]]),
        donated_exposure=np.array([[0.0, 10.0], [20.0, 0.0]]),
    )
    assert contrast(fit(sums, "tied").log_effect)[0] == pytest.approx(0, abs=1e-3)
    assert contrast(fit(linked, "tied").log_effect)[0] == pytest.approx(np.log(3), abs=1e-3)


def test_iterations_end_when_the_likelihood_rests():
    sums = random_sums(np.random.default_rng(3))
    short, long = fit(sums, "two_way", max_iter=2), fit(sums, "two_way", max_iter=500, tol=1e-8)
    assert (short.converged, len(short.log_likelihood)) == (False, 2)
    assert long.converged
    assert len(long.log_likelihood) < 500


def test_effects_are_bounded():
    one = np.array([[1e9]])
    sums = Pseudobulk(
        np.array([[1e9, 0.0]]), np.array([[1e9, 0.0]]), np.ones((2, 2)), one * 0, one * 0, np.zeros((2, 2))
    )
    assert np.abs(fit(sums, "two_way", prior=0.0).log_effect).max() <= np.log(1e3)


def test_centring_is_weighted_and_leaves_absent_genes_out():
    log_effect, share = np.array([[1.0, 3.0, 9.0], [1.0, 3.0, 9.0]]), np.array([0.5, 0.25, 0.25])
    found = center_effects(log_effect, np.array([[5.0, 5.0, 5.0], [5.0, 5.0, 0.0]]), share)
    np.testing.assert_allclose(found[0] @ share, 0, atol=1e-15)
    np.testing.assert_allclose(np.diff(found[0]), [2, 6])
    np.testing.assert_allclose(found[1], [-2 / 3, 4 / 3, 0])
