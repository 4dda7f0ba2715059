"""ParetoVI whose decoder knows the batch as one factor for each gene."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import scpareto as sp

SHORT = {
    "max_epochs_pretrain": 3,
    "n_points": 4,
    "method": "scalarization",
    "objective": "classifier",
    "progress": False,
}


@pytest.fixture(scope="module")
def adata():
    adata = sp.datasets.simulate_multiplicative(300, 60, scenario="S3", mean_count=2.0, seed=0)
    sp.pp.adjust_counts(adata)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    return adata


@pytest.fixture(scope="module")
def trained(adata):
    model = sp.model.ParetoVI(adata, n_hidden=16, n_layers=1, gene_batch_effect="multiplicative", seed=0)
    model.train(5, **SHORT)
    return model


def contrast_error(effect, truth) -> float:
    error = np.log(effect.to_numpy()) - truth.to_numpy()
    error -= error.mean(axis=1, keepdims=True)
    return float(np.sqrt(((error - error.mean(axis=0)) ** 2).mean()))


def test_factors_start_from_the_estimates(adata):
    model = sp.model.ParetoVI(adata, gene_batch_effect="multiplicative", seed=0)
    found, given = np.log(model.get_batch_effects()), np.log(adata.varm["batch_effect"])
    np.testing.assert_allclose(found, given.sub(given.mean(axis=1), axis=0), atol=1e-6)
    assert list(found.index) == list(adata.var_names)
    assert list(found) == list(adata.varm["batch_effect"])


def test_means_of_batches_differ_by_the_factors_only(adata):
    model = sp.model.ParetoVI(adata, gene_batch_effect="multiplicative", seed=0)
    module = model.module.eval()
    z, library = torch.randn(7, 10), torch.full((7, 1), 3.0)
    with torch.no_grad():
        means = [module.generative(z, library, torch.full((7, 1), b))["px"].mu.numpy() for b in range(3)]
    effect = adata.varm["batch_effect"].to_numpy()
    for b in (1, 2):
        np.testing.assert_allclose(means[b] / means[0], np.tile(effect[:, b] / effect[:, 0], (7, 1)), rtol=1e-4)


def test_means_of_another_batch_on_demand(trained, adata):
    """transform_batch exchanges the factor, whatever the batch of the cell."""
    first, second = (
        trained.get_normalized_expression(transform_batch=b, library_size=1) for b in ("batch_0", "batch_1")
    )
    effect = trained.get_batch_effects()
    ratio = np.log(second / first).median()
    assert np.corrcoef(ratio, np.log(effect["batch_1"] / effect["batch_0"]))[0, 1] > 0.99


def test_the_front_works_and_learns_factors(trained, adata):
    table = trained.front.to_dataframe()
    assert len(table) == 4
    assert np.isfinite(table["generative_loss_test"]).all()
    start = adata.varm["batch_effect"]
    moved = np.log(trained.get_batch_effects()) - np.log(start).sub(np.log(start).mean(axis=1), axis=0)
    assert 0 < np.abs(moved.to_numpy()).max() < 0.5
    assert contrast_error(trained.get_batch_effects(), adata.varm["batch_log_effect"]) < 0.3


def test_fixed_factors_are_no_parameters_to_learn(adata):
    model = sp.model.ParetoVI(
        adata, n_hidden=16, n_layers=1, gene_batch_effect="multiplicative", learn_batch_effect=False, seed=0
    )
    before = model.get_batch_effects()
    model.train(4, **SHORT)
    np.testing.assert_array_equal(model.get_batch_effects(), before)


def test_save_and_load_keep_factors_and_codes(trained, adata, tmp_path):
    trained.save(tmp_path / "model")
    bare = adata.copy()
    del bare.varm["batch_effect"]
    again = sp.model.ParetoVI.load(tmp_path / "model", bare)
    np.testing.assert_array_equal(again.get_batch_effects(), trained.get_batch_effects())
    np.testing.assert_allclose(again.get_latent_representation(), trained.get_latent_representation(), atol=1e-6)
    assert len(again.front) == len(trained.front)


def test_effects_are_needed_before_training():
    bare = sp.datasets.simulate_multiplicative(60, 20, seed=0)
    sp.model.ParetoVI.setup_anndata(bare, batch_key="batch")
    model = sp.model.ParetoVI(bare, gene_batch_effect="multiplicative", seed=0)
    with pytest.raises(ValueError, match="run sp.pp.adjust_counts"):
        model.train(4, **SHORT)


def test_bad_choices_are_refused():
    adata = sp.datasets.simulate_multiplicative(60, 20, seed=0)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    with pytest.raises(ValueError, match="gene_batch_effect='additive' is unknown; give 'multiplicative' or None"):
        sp.model.ParetoVI(adata, gene_batch_effect="additive")
    with pytest.raises(ValueError, match="has no batch effects of genes"):
        sp.model.ParetoVI(adata).get_batch_effects()
    with pytest.raises(ValueError, match="batch_representation='one-hot'"):
        sp.model.ParetoVI(adata, gene_batch_effect="multiplicative", batch_representation="embedding")
