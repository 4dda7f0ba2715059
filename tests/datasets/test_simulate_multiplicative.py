from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from scpareto.datasets import simulate_multiplicative


def batch_means(adata) -> np.ndarray:
    batch = adata.obs["batch"].to_numpy()
    return np.stack([adata.X[batch == b].toarray().mean(axis=0) for b in adata.obs["batch"].cat.categories], axis=1)


def test_shapes_types_and_names():
    adata = simulate_multiplicative(200, 60, scenario="S3", n_factors=4)
    assert sparse.issparse(adata.X)
    assert (adata.X.format, adata.X.dtype, adata.shape) == ("csr", np.float32, (200, 60))
    assert (adata.X.data == np.round(adata.X.data)).all()
    assert adata.obs["batch"].cat.categories.tolist() == ["batch_0", "batch_1", "batch_2"]
    assert adata.obsm["factor_weights"].shape == (200, 4)
    assert adata.varm["factor_loadings"].shape == (60, 4)
    assert (
        list(adata.varm["batch_log_effect"]) == list(adata.varm["unbiased_mean"]) == ["batch_0", "batch_1", "batch_2"]
    )


@pytest.mark.parametrize("scenario", ["S0", "S1", "S2", "S3"])
def test_counts_have_the_mean_on_record(scenario):
    adata = simulate_multiplicative(4000, 40, scenario=scenario)
    expected = adata.varm["unbiased_mean"].to_numpy() * np.exp(adata.varm["batch_log_effect"].to_numpy())
    size = adata.obs["batch"].value_counts(sort=False).to_numpy()
    standardised = (batch_means(adata) - expected) / np.sqrt(expected / size)
    assert np.abs(standardised).max() < 4.5  # up to 120 Poisson means, in standard errors


def test_effects_are_standardised_over_genes():
    effect = simulate_multiplicative(20, 300, effect_strength=0.7).varm["batch_log_effect"].to_numpy()
    np.testing.assert_allclose(effect.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(effect.std(axis=0, ddof=1), 0.7)


def test_error_of_the_ratio_of_batch_means_by_scenario():
    """Without confounding it is right; the published errors of S1 and S2 are 0.41 and 0.73."""
    error = {}
    for scenario in ("S0", "S1", "S2"):
        adata = simulate_multiplicative(scenario=scenario, seed=1)
        means, truth = batch_means(adata), adata.varm["batch_log_effect"].to_numpy()
        error[scenario] = np.std(np.diff(np.log(means), axis=1) - np.diff(truth, axis=1))
    assert error["S0"] < 0.06
    assert error["S1"] == pytest.approx(0.41, abs=0.06)
    assert error["S2"] == pytest.approx(0.73, abs=0.10)


def test_types_of_the_second_scenario_are_reversed():
    adata = simulate_multiplicative(20_000, 5, scenario="S2")
    assert (np.count_nonzero(adata.obsm["factor_weights"], axis=1) == 1).all()
    for batch, shares in (("batch_0", [0.5, 0.3, 0.1, 0.08, 0.02]), ("batch_1", [0.02, 0.08, 0.1, 0.3, 0.5])):
        seen = adata.obs.loc[adata.obs["batch"] == batch, "factor"].value_counts(normalize=True, sort=False)
        np.testing.assert_allclose(seen, shares, atol=0.02)


def test_mean_count_makes_sparse_counts_with_the_same_effects():
    dense, thin = (simulate_multiplicative(2000, 100, mean_count=m) for m in (None, 0.1))
    assert thin.X.mean() == pytest.approx(0.1, rel=0.03)
    assert thin.X.nnz < 0.12 * thin.n_obs * thin.n_vars
    np.testing.assert_array_equal(*(a.varm["batch_log_effect"].to_numpy() for a in (dense, thin)))


def test_same_seed_same_bits():
    first, again, other = (simulate_multiplicative(1100, 30, scenario="S2", seed=s) for s in (5, 5, 6))
    assert (first.X != again.X).nnz == 0
    assert (first.X != other.X).nnz > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scenario": "S9"}, "'S9'; choose one of 'S0', 'S1', 'S2', 'S3', 'S4'"),
        ({"n_batches": 1}, "`n_batches` is 1"),
        ({"n_genes": 1}, "`n_genes` is 1"),
        ({"n_cells": 1}, "`n_cells` is 1"),
        ({"effect_strength": -1.0}, "`effect_strength` is -1.0"),
        ({"mean_count": 0.0}, "`mean_count` is 0.0"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate_multiplicative(**arguments)
