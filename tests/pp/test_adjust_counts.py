from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scpareto as sp
from scpareto.datasets import simulate_batches, simulate_multiplicative


@pytest.fixture
def adata():
    return simulate_multiplicative(400, 120, scenario="S3", seed=0)


def contrast_error(adata) -> float:
    """Root mean square over genes and pairs of batches; a constant of a batch is depth and does not count."""
    found, truth = np.log(adata.varm["batch_effect"].to_numpy()), adata.varm["batch_log_effect"].to_numpy()
    first, second = np.triu_indices(found.shape[1], 1)
    error = (found - truth)[:, first] - (found - truth)[:, second]
    return float(np.sqrt(((error - error.mean(axis=0)) ** 2).mean()))


def record(adata) -> dict:
    return adata.uns["scpareto"]["adjust_counts"]


def test_what_is_written(adata):
    raw = adata.X.copy()
    assert sp.pp.adjust_counts(adata) is None
    effect = adata.varm["batch_effect"]
    assert list(effect) == ["batch_0", "batch_1", "batch_2"]
    assert list(effect.index) == list(adata.var_names)
    layer = adata.layers["adjusted"]
    assert (layer.format, layer.dtype, layer.nnz) == ("csr", np.float32, raw.nnz)
    expected = raw.toarray() / effect.to_numpy().T[adata.obs["batch"].cat.codes]
    np.testing.assert_allclose(layer.toarray(), expected, rtol=1e-5)
    assert (adata.X != raw).nnz == 0
    assert adata.obs["adjusted_stratum"].nunique() <= 32
    assert adata.obs["adjusted_donors"].between(0, 1).all()
    assert record(adata)["donor_share"].shape == (3, 3)


def test_effects_are_centred_over_batches(adata):
    sp.pp.adjust_counts(adata)
    share = adata.obs["batch"].value_counts(normalize=True, sort=False).to_numpy()
    np.testing.assert_allclose(np.log(adata.varm["batch_effect"].to_numpy()) @ share, 0, atol=1e-12)


def test_record_survives_a_file(adata, tmp_path):
    sp.pp.adjust_counts(adata)
    adata.write_h5ad(tmp_path / "adjusted.h5ad")
    again = anndata.read_h5ad(tmp_path / "adjusted.h5ad")
    assert list(record(again)["batches"]) == ["batch_0", "batch_1", "batch_2"]
    sp.pp.counterfactual_counts(again, "batch_1")
    own = (again.obs["batch"] == "batch_1").to_numpy()
    np.testing.assert_allclose(again.layers["counterfactual_batch_1"][own].toarray(), again.X[own].toarray(), rtol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_confounded_types_are_told_from_batch_effects(seed):
    """S2 of the published simulations, where the ratio of batch means errs by 0.73."""
    adata = simulate_multiplicative(scenario="S2", seed=seed)
    with pytest.warns(UserWarning, match="composition or cell types differ"):
        sp.pp.adjust_counts(adata)
    assert contrast_error(adata) < 0.15


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_types_that_are_most_of_one_batch_are_not_given_donors_of_another_type(seed):
    """S4, six types: one matching errs by 0.40, 0.68 and 0.29, the ratio of batch means by 0.82, 0.82 and 0.70."""
    adata = simulate_multiplicative(scenario="S4", n_factors=6, seed=seed)
    with pytest.warns(UserWarning, match="composition or cell types differ"):
        sp.pp.adjust_counts(adata)
    assert contrast_error(adata) < 0.18
    record = adata.uns["scpareto"]["adjust_counts"]
    assert record["n_rounds"] == 3
    support = record["support"]
    matched = (adata.obs["adjusted_donors"] > 0).groupby(adata.obs["batch"].to_numpy()).sum()
    assert support["n_matched"].tolist() == matched.tolist()
    # A type that one batch alone has is given hardly any donors.
    counted = pd.crosstab(adata.obs["factor"], adata.obs["batch"])
    alone = (counted > 0).sum(axis=1) == 1
    for name in counted.index[alone & (counted.sum(axis=1) > 20)]:
        assert (adata.obs.loc[adata.obs["factor"] == name, "adjusted_donors"] > 0).mean() < 0.1


def test_types_of_one_batch_that_are_some_of_another_are_matched_three_times():
    """Sparse counts; cells of a batch have their like elsewhere, but not the other way round. One round errs .85."""
    adata = simulate_multiplicative(1000, 500, scenario="S4", n_factors=6, mean_count=0.3, seed=2)
    adata = adata[np.asarray(adata.X.sum(axis=1)).ravel() > 0].copy()
    with pytest.warns(UserWarning, match="genes have no counts in some batches"):
        sp.pp.adjust_counts(adata)
    share = record(adata)["comparable_share"]
    np.fill_diagonal(share, 0)
    assert np.maximum(share, share.T).max(axis=1).min() > 0.5 > np.minimum(share, share.T).max(axis=1).min()
    assert record(adata)["n_rounds"] == 3
    assert contrast_error(adata) < 0.65


def test_batches_of_the_same_cells_are_matched_once():
    adata = simulate_multiplicative(scenario="S3", seed=0)
    sp.pp.adjust_counts(adata)
    assert adata.uns["scpareto"]["adjust_counts"]["n_rounds"] == 1


@pytest.mark.parametrize(("scenario", "limit"), [("S0", 0.06), ("S3", 0.08)])
@pytest.mark.parametrize("variant", ["tied", "two_way", "note_code", "gamma_prior"])
def test_unconfounded_effects_are_right_with_every_variant(scenario, limit, variant):
    adata = simulate_multiplicative(scenario=scenario, seed=3)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The likelihood still changed")
        sp.pp.adjust_counts(adata, variant=variant)
    assert contrast_error(adata) < limit


@pytest.mark.parametrize(
    "options",
    [
        {"strata": "kmeans"},
        {"weights": "entropy"},
        {"size_factors": None},
        {"size_factors": "depth"},
        {"n_mutual": None},
        {"discount": 0.3},
        {"use_rep": "X_true"},
        {"control_genes": [f"gene_{g}" for g in range(30)]},
        {"features": "rp_resid"},
    ],
)
def test_options_keep_the_estimate(options):
    adata = simulate_multiplicative(scenario="S0", seed=4)
    adata.obsm["X_true"] = adata.obsm["factor_weights"]
    adata.obs["depth"] = adata.obsm["factor_weights"].sum(axis=1)
    sp.pp.adjust_counts(adata, **options)
    assert contrast_error(adata) < 0.10


def test_continuous_shift_stays_biased():
    """The documented limit: no variant removes S1, whose ratio of batch means errs by 0.41."""
    adata = simulate_multiplicative(scenario="S1", seed=0)
    sp.pp.adjust_counts(adata)
    assert 0.15 < contrast_error(adata) < 0.41


def test_order_of_cells_does_not_matter(adata):
    sp.pp.adjust_counts(adata)
    shuffled = adata[np.random.default_rng(0).permutation(adata.n_obs)].copy()
    del shuffled.varm["batch_effect"], shuffled.layers["adjusted"]
    sp.pp.adjust_counts(shuffled)
    np.testing.assert_allclose(shuffled.varm["batch_effect"], adata.varm["batch_effect"], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_kinds_of_matrices(adata, kind, dtype):
    sp.pp.adjust_counts(adata)
    expected = adata.layers["adjusted"].toarray()
    other = anndata.AnnData(
        obs=adata.obs[["batch"]], var=adata.var[[]], layers={"counts": kind(adata.X.toarray().astype(dtype))}
    )
    sp.pp.adjust_counts(other, layer="counts")
    found = other.layers["adjusted"]
    assert type(found) is type(other.layers["counts"])
    assert found.dtype == (np.float64 if dtype is np.float64 else np.float32)
    np.testing.assert_allclose(found.toarray() if sparse.issparse(found) else found, expected, rtol=1e-5)


def test_sparse_layers_share_no_memory_with_the_counts(adata):
    sp.pp.adjust_counts(adata)
    for part in ("data", "indices", "indptr"):
        assert not np.shares_memory(getattr(adata.X, part), getattr(adata.layers["adjusted"], part))


def test_a_private_population_keeps_effects_finite_and_right():
    """A fifth of batch_0 is a type that no other batch has."""
    adata = simulate_multiplicative(1500, 200, scenario="S2", seed=0)
    keep = (adata.obs["factor"] != "type_0") | (adata.obs["batch"] == "batch_0")
    adata = adata[keep].copy()
    with pytest.warns(UserWarning, match="comparable"):
        sp.pp.adjust_counts(adata)
    assert np.isfinite(adata.varm["batch_effect"].to_numpy()).all()
    assert contrast_error(adata) < 0.2


@pytest.mark.filterwarnings("ignore:.*genes have no counts")
def test_batches_without_common_types_are_reported():
    composition = [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    apart = simulate_batches(800, 300, n_batches=2, composition=composition, counts_per_gene=3.0)
    with pytest.warns(UserWarning, match="Hardly any cells of other batches are comparable to those of 'batch_0'"):
        sp.pp.adjust_counts(apart)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Hardly any cells")
        sp.pp.adjust_counts(simulate_batches(800, 300, n_batches=2))


def test_genes_absent_from_a_batch_or_from_all(adata):
    counts = adata.X.toarray()
    counts[:, 3] = 0
    counts[adata.obs["batch"] == "batch_1", 7] = 0
    adata.X = sparse.csr_matrix(counts)
    with pytest.warns(UserWarning, match="1 genes have no counts in some batches; the first is 'gene_7' in 'batch_1'"):
        sp.pp.adjust_counts(adata)
    effect = adata.varm["batch_effect"]
    assert (effect.loc["gene_3"] == 1).all()
    assert effect.loc["gene_7", "batch_1"] == 1
    assert effect.loc["gene_7", "batch_0"] != 1
    assert record(adata)["n_genes_absent"].tolist() == [0, 1, 0]
    assert np.isfinite(adata.layers["adjusted"].data).all()


def test_likelihood_that_does_not_come_to_rest_is_reported(adata):
    with pytest.warns(UserWarning, match="max_iter=2"):
        sp.pp.adjust_counts(adata, max_iter=2, tol=0.0)
    assert not record(adata)["converged"]


def test_fractional_counts_are_reported(adata):
    adata.X = adata.X * 0.5
    with pytest.warns(UserWarning, match="fractional values"):
        sp.pp.adjust_counts(adata)


def with_value(adata, value):
    counts = adata.X.toarray()
    counts[5, 6] = value
    adata.X = counts
    return adata


def with_rep(adata, value):
    adata.obsm["X_rep"] = np.ones((adata.n_obs, 3))
    adata.obsm["X_rep"][11, 1] = value
    return adata


def with_batches(adata, names):
    adata.obs["batch"] = pd.Categorical(names)
    return adata


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda a: with_value(a, np.nan), {}, ValueError, "adata.X holds NaN or infinite"),
        (lambda a: with_value(a, -2.0), {}, ValueError, "negative values, down to -2"),
        (lambda a: with_batches(a, ["one"] * 400), {}, ValueError, r"one batch only \('one'\)"),
        (lambda a: with_batches(a, ["a"] * 396 + ["b"] * 4), {}, ValueError, r"n_neighbors=5: 'b' \(4\)"),
        (lambda a: with_batches(a, ["a"] * 396 + [None] * 4), {}, ValueError, "missing for 4 cells"),
        (lambda a: with_rep(a, np.nan), {"use_rep": "X_rep"}, ValueError, "for 1 cells; the first is 'cell_11'"),
        (lambda a: a, {"use_rep": "X_none"}, KeyError, "'X_none' is not in adata.obsm; available: 'factor_weights'"),
        (lambda a: a, {"layer": "counts"}, KeyError, "layer='counts' is not in adata.layers"),
        (lambda a: a, {"batch_key": "plate"}, KeyError, "'plate' is not in adata.obs; available: 'batch', 'factor'"),
        (
            lambda a: a,
            {"variant": "printed"},
            ValueError,
            "choose one of 'tied', 'two_way', 'note_code', 'gamma_prior'",
        ),
        (lambda a: a, {"strata": "leiden"}, ValueError, "choose one of 'sign_hash', 'kmeans'"),
        (lambda a: a, {"weights": "flat"}, ValueError, "choose one of 'softmax', 'entropy'"),
        (lambda a: a, {"features": "umap"}, ValueError, "choose one of 'pca_centered', 'rp_resid', 'rp_cpm'"),
        (lambda a: a, {"n_neighbors": 0}, ValueError, "n_neighbors=0 is out of range"),
        (lambda a: a, {"n_mutual": 0}, ValueError, "n_mutual=0 is out of range"),
        (lambda a: a, {"discount": 0.0}, ValueError, "discount=0.0 is out of range"),
        (lambda a: a, {"prior": -1.0}, ValueError, "prior=-1.0 is out of range"),
        (lambda a: a, {"tol": -1.0}, ValueError, "tol=-1.0 is out of range"),
        (lambda a: a, {"size_factors": "depth"}, KeyError, "'depth' is not in adata.obs"),
        (lambda a: a, {"control_genes": "ercc"}, KeyError, "'ercc' is not in adata.var"),
        (lambda a: a, {"control_genes": ["gene_1", "GAPDH"]}, KeyError, "'GAPDH' is not in adata.var_names"),
        (lambda a: a, {"control_genes": []}, ValueError, "control_genes are 0 of 120 genes"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(adata, change, options, error, message):
    changed = change(adata)
    with pytest.raises(error, match=message):
        sp.pp.adjust_counts(changed, **options)
    assert "adjusted" not in changed.layers
    assert "batch_effect" not in changed.varm


def test_size_factors_must_be_positive(adata):
    adata.obs["depth"] = np.arange(400.0)
    with pytest.raises(ValueError, match="not positive"):
        sp.pp.adjust_counts(adata, size_factors="depth")


def test_empty_cells_are_refused(adata):
    counts = adata.X.toarray()
    counts[2] = 0
    adata.X = counts
    with pytest.raises(ValueError, match="1 cells have no counts in adata.X; the first is 'cell_2'"):
        sp.pp.adjust_counts(adata)


def test_counterfactual_counts_have_the_mean_of_the_target():
    """Without confounding, every batch looks like the target on average."""
    adata = simulate_multiplicative(2000, 100, scenario="S3", seed=0)
    sp.pp.adjust_counts(adata)
    sp.pp.counterfactual_counts(adata, "batch_2", key_added="as_2")
    means = pd.DataFrame(adata.layers["as_2"].toarray()).groupby(adata.obs["batch"].to_numpy()).mean().to_numpy()
    error = np.log(means[:2]) - np.log(means[2])
    assert np.abs(error).max() < 0.25
    raw = pd.DataFrame(adata.X.toarray()).groupby(adata.obs["batch"].to_numpy()).mean().to_numpy()
    assert np.abs(np.log(raw[:2]) - np.log(raw[2])).max() > 2


def test_counterfactuals_undo_each_other(adata):
    sp.pp.adjust_counts(adata)
    sp.pp.counterfactual_counts(adata, "batch_0")
    effect = adata.varm["batch_effect"]
    back = adata.layers["counterfactual_batch_0"].toarray() / effect["batch_0"].to_numpy()
    np.testing.assert_allclose(back, adata.layers["adjusted"].toarray(), rtol=1e-5)


def test_counterfactuals_need_effects_and_a_known_batch(adata):
    with pytest.raises(KeyError, match=r"run sp.pp.adjust_counts\(adata, batch_key=...\) first"):
        sp.pp.counterfactual_counts(adata, "batch_1")
    sp.pp.adjust_counts(adata)
    with pytest.raises(ValueError, match="batch='b2' is unknown; choose one of 'batch_0', 'batch_1', 'batch_2'"):
        sp.pp.counterfactual_counts(adata, "b2")
    with_batches(adata, ["batch_9"] * 400)
    with pytest.raises(ValueError, match="cells of batch 'batch_9' have no effects"):
        sp.pp.counterfactual_counts(adata, "batch_1")
    del adata.obs["batch"]
    with pytest.raises(KeyError, match="'batch' is no longer in adata.obs"):
        sp.pp.counterfactual_counts(adata, "batch_1")
