from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from anndata import AnnData, read_h5ad
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from scpareto import apply_point, fit_front
from scpareto.model import ScInfoVAE
from scpareto.pp import prepare_scinfovae

SMALL = {"n_hidden": [24, 16], "n_latent": 4, "seed": 0}


def simulate(n_batches=2, n_cells=240):
    """Three types with profiles of their own, in batches that differ in depth."""
    rng = np.random.default_rng(0)
    types, batches = rng.integers(3, size=n_cells), rng.integers(n_batches, size=n_cells)
    means = np.exp(rng.normal(size=(3, 80)))[types] * (1 + batches[:, None])
    obs = pd.DataFrame({"cell_type": types.astype(str), "batch": pd.Categorical(batches.astype(str))})
    obs.index = [f"cell_{i}" for i in range(n_cells)]
    adata = AnnData(sparse.csr_matrix(rng.poisson(means).astype(np.float32)), obs=obs)
    return prepare_scinfovae(adata, n_top_genes=50)


def fit(adata, n_clusters=3, train=(8, 4), setup=None, **options):
    ScInfoVAE.setup_anndata(adata, **(setup or {}))
    model = ScInfoVAE(adata, n_clusters=n_clusters, **SMALL | options)
    model.train(*train, progress=False, accelerator="cpu", batch_size=64)
    return model


@pytest.fixture(scope="module")
def trained():
    """Return a trained model of two batches that no test may change."""
    return fit(simulate(), setup={"batch_key": "batch"}, train=(50, 5))


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scinfovae") / "model"
    trained.save(folder)
    return folder


def test_clusters_are_those_of_the_simulation(trained):
    truth = trained.adata.obs["cell_type"]
    assert adjusted_rand_score(truth, trained.predict()) > 0.8
    assert trained.get_latent_representation().shape == (240, 4)
    assert trained.n_clusters == 3
    np.testing.assert_array_equal(trained.predict().codes, trained.clusters_)


def test_soft_assignments_go_with_the_clusters(trained):
    soft = trained.predict(soft=True)
    assert soft.index.equals(trained.adata.obs_names)
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-5)
    assert soft.idxmax(axis=1).tolist() == trained.predict().tolist()
    assert list(soft.columns) == ["0", "1", "2"]


@pytest.mark.parametrize("method", ["kmeans", "spectral", "robust_spectral", "leiden"])
def test_codes_are_clustered_anew(trained, method):
    options = {"resolution": 0.3} if method == "leiden" else {}
    found = trained.predict(method=method, **options)
    assert isinstance(found, pd.Categorical)
    assert adjusted_rand_score(trained.adata.obs["cell_type"], found) > 0.6


def test_new_cells_join_the_embedding(trained):
    new = trained.adata[:30].copy()
    np.testing.assert_allclose(
        trained.get_latent_representation(new), trained.get_latent_representation()[:30], rtol=1e-4, atol=1e-5
    )
    assert trained.predict(new).tolist() == trained.predict()[:30].tolist()
    codes = trained.get_latent_representation(batch_size=17)
    np.testing.assert_allclose(codes, trained.get_latent_representation(), rtol=1e-4, atol=1e-5)


def test_scores_before_and_after_are_recorded(trained, tmp_path):
    record = trained.adata.uns["scpareto"]["scinfovae"]
    assert set(trained.scores_) == {"before", "after"}
    for scores in trained.scores_.values():
        assert -1 <= scores["silhouette"] <= 1
        assert scores["calinski_harabasz"] > 0
        assert scores["n_clusters_used"] == 3
    assert record["n_clusters_reason"] == "given"
    trained.adata.copy().write_h5ad(tmp_path / "cells.h5ad")
    back = read_h5ad(tmp_path / "cells.h5ad").uns["scpareto"]["scinfovae"]
    assert back["scores_after"]["silhouette"] == pytest.approx(trained.scores_["after"]["silhouette"])
    assert back["finetuning_end"] == trained.finetuning_end_


def test_history_names_phase_and_term(trained):
    history = trained.history
    assert len(history["pretraining_reconstruction_train"]) <= 50
    assert {"pretraining_total_validation", "finetuning_clustering_train", "finetuning_labels_changed"} <= set(history)


def test_saved_and_loaded_models_agree(trained, saved):
    content = torch.load(saved / "model.pt", weights_only=True)
    assert content["scpareto"]["model"] == "ScInfoVAE"
    loaded = ScInfoVAE.load(saved, simulate())
    np.testing.assert_array_equal(loaded.get_latent_representation(), trained.get_latent_representation())
    assert loaded.predict().tolist() == trained.predict().tolist()
    assert loaded.scores_ == trained.scores_
    assert loaded.history.keys() == trained.history.keys()


def test_equal_seeds_equal_bits_and_other_seeds_other_bits():
    a, b, c = (fit(simulate(1), train=(2, 2), **o) for o in ({}, {}, {"seed": 1}))
    np.testing.assert_array_equal(a.get_latent_representation(), b.get_latent_representation())
    assert a.scores_ == b.scores_
    assert not np.array_equal(a.get_latent_representation(), c.get_latent_representation())
    before = a.get_latent_representation()
    a.train(2, 2, progress=False, accelerator="cpu", batch_size=64)
    np.testing.assert_array_equal(a.get_latent_representation(), before)


@pytest.mark.parametrize("method", ["silhouette", "leiden", "generalisability"])
def test_number_of_clusters_is_estimated_with_its_reason(method, tmp_path):
    adata = simulate(1)
    ScInfoVAE.setup_anndata(adata)
    model = ScInfoVAE(adata, **SMALL)
    assert model.n_clusters is None
    # Seven held-out cells leave three numbers to try by generalisability.
    options = {"validation_size": 0.03, "batch_size": 128, "accelerator": "cpu", "progress": False}
    model.train(20 if method == "silhouette" else 5, 1, n_clusters_by=method, **options)
    choice = model.n_clusters_choice_
    assert model.n_clusters == choice["value"] >= 2
    assert choice["method"] == method
    assert str(choice["value"]) in choice["reason"]
    assert adata.uns["scpareto"]["scinfovae"]["n_clusters_reason"] == choice["reason"]
    if method == "silhouette":
        assert choice["value"] in (2, 3)
        model.save(tmp_path / "model")
        loaded = ScInfoVAE.load(tmp_path / "model", simulate(1))
        assert loaded.predict().tolist() == model.predict().tolist()
        assert loaded.n_clusters_choice_ == choice


def test_query_cells_of_a_new_batch_keep_the_clusters(trained, saved):
    query = simulate()[:60].copy()
    query.obs["batch"] = "new"
    model = ScInfoVAE.load_query_data(query, str(saved))
    assert model.predict().tolist() == trained.predict()[:60].tolist()
    centres = model.module.clustering.centres.detach().clone()
    codes = model.get_latent_representation()
    model.train(2, 2, progress=False, accelerator="cpu")
    assert torch.equal(centres, model.module.clustering.centres)
    np.testing.assert_array_equal(codes, model.get_latent_representation())
    assert model.module.decoder.px_decoder.fc_layers[0][0].in_features == 4 + 3


def test_expression_without_batch_is_that_of_another_batch(trained):
    first, second = trained.adata.obs["batch"].cat.categories
    a, b = (trained.get_normalized_expression(transform_batch=name, library_size=1) for name in (first, second))
    assert a.shape == (240, 50)
    assert np.isfinite(a.to_numpy()).all()
    assert not np.allclose(a, b)


def test_minified_data_keep_codes_and_clusters(saved):
    model = ScInfoVAE.load(saved, simulate())
    codes, clusters = model.get_latent_representation(), model.predict().tolist()
    qzm, qzv = model.get_latent_representation(return_dist=True)
    model.adata.obsm["qzm"], model.adata.obsm["qzv"] = qzm, qzv
    model.minify_adata(use_latent_qzm_key="qzm", use_latent_qzv_key="qzv")
    np.testing.assert_allclose(model.get_latent_representation(), codes)
    assert model.predict().tolist() == clusters
    with pytest.raises(ValueError, match="Minified data hold no counts"):
        model.train(1, 1)


def test_continuous_data_have_a_gaussian_likelihood():
    rng = np.random.default_rng(0)
    adata = AnnData(rng.normal(size=(120, 6)).astype(np.float32) * 5 - 20)
    ScInfoVAE.setup_anndata(adata)
    with pytest.raises(ValueError, match="negative values"):
        ScInfoVAE(adata, n_clusters=2, **SMALL)
    model = ScInfoVAE(adata, n_clusters=2, gene_likelihood="normal", **SMALL)
    torch.testing.assert_close(model.module.input_mean, torch.tensor(adata.X.mean(0)))
    torch.testing.assert_close(model.module.input_sd, torch.tensor(adata.X.std(0)), rtol=1e-4, atol=1e-4)
    model.train(2, 1, progress=False, accelerator="cpu")
    assert np.isfinite(model.get_latent_representation()).all()


def test_scaling_is_that_of_the_data_and_travels_with_the_model(trained, saved):
    adata = trained.adata
    factors = adata.obs["scinfovae_size_factor"].to_numpy()[:, None]
    u = np.log1p(adata.X.toarray() / factors)
    np.testing.assert_allclose(trained.module.input_mean.numpy(), u.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(trained.module.input_sd.numpy(), u.std(0), rtol=1e-3, atol=1e-5)
    query = ScInfoVAE.load_query_data(simulate()[:50].copy(), saved)
    assert torch.equal(query.module.input_mean, trained.module.input_mean)


def test_size_factors_of_registered_genes_where_there_are_no_others():
    adata = simulate(1)
    del adata.obs["scinfovae_size_factor"]
    model = fit(adata, train=(1, 0))
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    assert float(model.module.median_total) == np.median(totals)
    assert not model.module.has_size_factors
    adata.X = sparse.csr_matrix(adata.X.toarray() * (np.arange(adata.n_obs) > 0)[:, None])
    with pytest.raises(ValueError, match="1 cells have no counts in the registered genes"):
        ScInfoVAE(adata, n_clusters=3, **SMALL)


@pytest.mark.parametrize("objective", ["prior_divergence", "deep_clustering"])
def test_a_front_between_generative_loss_and_the_objectives(objective, tmp_path):
    adata = simulate(1)
    model = fit(adata, train=(3, 1))
    front = fit_front(
        model,
        objective=objective,
        n_points=4,
        method="scalarization",
        max_epochs=6,
        max_epochs_pretrain=3,
        plan_kwargs={"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5},
        seed=0,
        progress=False,
        accelerator="cpu",
    )
    table = front.to_dataframe()
    assert front.objectives == ["generative_loss", objective]
    assert front.missing == []
    assert np.isfinite(table[["generative_loss_test", f"{objective}_test"]].to_numpy()).all()
    if objective == "deep_clustering":
        assert front.metadata["objective_options"]["deep_clustering"]["n_clusters"] == 3
    number = model.select(1)
    assert number == model.selected == 1
    clusters = model.predict()
    # The centres are those of the point's own codes.
    assert len(set(clusters)) == 3
    model.save(tmp_path / "model")
    loaded = ScInfoVAE.load(tmp_path / "model", simulate(1))
    assert loaded.predict().tolist() == clusters.tolist()
    assert loaded.front.numbers == front.numbers
    assert apply_point(model, front, 0) == 0


def test_errors_come_before_training(trained):
    adata = simulate(1)
    ScInfoVAE.setup_anndata(adata)
    model = ScInfoVAE(adata, n_clusters=3, **SMALL)
    for arguments, message in (
        ({"restore_best": "ari"}, "restore_best='ari' is not one of None, 'silhouette', 'loss'"),
        ({"n_clusters_by": "gap"}, "n_clusters_by='gap' is not one of silhouette, leiden, generalisability"),
        ({"finetune_objective": "dec"}, "finetune_objective='dec' is not one of full, paper"),
        ({"max_epochs_pretrain": 0}, "max_epochs_pretrain=0 must be at least 1"),
        ({"validation_size": 1.0}, "validation_size=1.0"),
        ({"tol": -1.0}, "tol=-1.0"),
        ({"devices": 2}, "devices=2: ScInfoVAE trains on one device"),
    ):
        with pytest.raises(ValueError, match=message):
            model.train(**arguments)
    assert model.history is None
    with pytest.raises(RuntimeError, match="no clusters yet"):
        model.predict()
    with pytest.raises(RuntimeError, match=r"no front. Learn one with scpareto.fit_front"):
        model.select(0)
    with pytest.raises(ValueError, match="soft=True goes with method='centres'"):
        trained.predict(soft=True, method="kmeans")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_clusters": 1000}, "n_clusters=1000 must be from 2 to the number of cells, 240"),
        ({"n_clusters": 1}, "n_clusters=1 must be"),
        ({"alpha": 2.0}, "alpha=2.0 must be at most 1"),
        ({"alpha": 0.0, "lambda_": 0.5}, "must be at least 1"),
        ({"divergence": "kl"}, "divergence='kl' is not one of mmd, js, stein"),
        ({"kernel": "linear"}, "kernel='linear' is not one of imq, rbf, multirbf, tutorial"),
    ],
)
def test_bad_options_are_refused(options, message):
    adata = simulate(1)
    ScInfoVAE.setup_anndata(adata)
    with pytest.raises(ValueError, match=message):
        ScInfoVAE(adata, **SMALL | options)


def test_missing_keys_are_refused():
    adata = simulate(1)
    for options, message in (
        ({"batch_key": "lane"}, "batch_key='lane' is not in adata.obs"),
        ({"size_factor_key": "depth"}, "size_factor_key='depth'"),
        ({"layer": "raw"}, "layer='raw' is not in adata.layers"),
    ):
        with pytest.raises(KeyError, match=message):
            ScInfoVAE.setup_anndata(adata, **options)
    with pytest.raises(ValueError, match="view"):
        ScInfoVAE.setup_anndata(adata[:10])
    with pytest.raises(ValueError, match="ScInfoVAE needs adata"):
        ScInfoVAE()


def test_squared_errors_have_a_smaller_weight_by_default():
    adata = simulate(1)
    ScInfoVAE.setup_anndata(adata)
    weights = {
        likelihood: ScInfoVAE(adata, n_clusters=2, gene_likelihood=likelihood, **SMALL).weights.lambda_
        for likelihood in ("zinb", "nb", "log_mse", "paper_mse")
    }
    assert weights == {"zinb": 100.0, "nb": 100.0, "log_mse": 10.0, "paper_mse": 10.0}
