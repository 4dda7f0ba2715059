"""SAUCIE and DESC as models: the published error as generative loss, fronts, codes of further cells, saving."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scvi.dataloaders import AnnDataLoader

import scpareto as sp
from scpareto.bench import read_cells
from scpareto.bench._methods._clustering_input import compute_clustering_input
from scpareto.bench._methods._saucie._training import compute_reconstruction_error
from scpareto.train import get_adapter

SHORT = {"n_bootstrap": 5, "critic_warmup": {"max_epochs": 5}, "de_novo": {"max_epochs": 10}, "n_critic": 3}


@pytest.fixture(scope="module")
def adata(simulate):
    return simulate(2, n_cells=400, batch_strength=4.0)


@pytest.fixture
def build(adata):
    def make(cls, **options):
        copy = adata.copy()
        cls.setup_anndata(copy, batch_key="batch")
        return cls(copy, seed=0, **options)

    return make


def everyone(model):
    return next(iter(AnnDataLoader(model.adata_manager, batch_size=model.adata.n_obs)))


def test_error_of_saucie_is_the_published_one_of_its_batch_mode(build, adata):
    model = build(sp.bench.SAUCIE)
    cells = read_cells(adata, batch_key="batch")
    x, batch = torch.from_numpy(cells.log_normalised.toarray()), torch.from_numpy(cells.batch_codes)
    tensors = everyone(model)
    torch.testing.assert_close(model.module.network_input(tensors["X"]), x)
    encoded, per_cell = get_adapter(model).forward(tensors)
    with torch.no_grad():
        codes, output = model.module.network(x)
    reference = model.module.reference
    assert reference == int(torch.bincount(batch).argmax())
    torch.testing.assert_close(encoded.z, codes)
    assert torch.equal(encoded.z, encoded.qz.loc)
    assert encoded.qz.scale.max() < 1e-5
    # Each batch weighs the same, whichever cells a minibatch holds; the reference error is that of a cell alone.
    torch.testing.assert_close(per_cell.mean(), compute_reconstruction_error(output, x, batch, reference))
    own = batch == reference
    expected = (output - x)[own].square().mean(1) * len(x) / own.sum()
    torch.testing.assert_close(per_cell[own], expected)


def test_error_of_desc_is_the_squared_error_of_its_z_scores(build, adata):
    model = build(sp.bench.DESC)
    x = torch.from_numpy(compute_clustering_input(read_cells(adata, batch_key="batch"), n_genes=None, max_value=6.0)[0])
    tensors = everyone(model)
    torch.testing.assert_close(model.module.network_input(tensors["X"]), x, atol=1e-4, rtol=1e-4)
    encoded, per_cell = get_adapter(model).forward(tensors)
    with torch.no_grad():
        network = model.module.network
        torch.testing.assert_close(encoded.z, network.encode(x), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(per_cell, (network(x) - x).square().mean(1), atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(model.module.sample(tensors), network(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("cls", "objective", "method", "max_epochs"),
    [
        (sp.bench.SAUCIE, "mmd", "conditional", 40),
        (sp.bench.DESC, "mmd", "conditional", 60),
        (sp.bench.DESC, "classifier", "scalarization", 50),
    ],
)
def test_leakage_falls_along_a_front(build, cls, objective, method, max_epochs):
    model = build(cls, **{"n_latent": 8} if cls is sp.bench.SAUCIE else {})
    front = sp.fit_front(
        model,
        objective,
        method,
        4,
        max_epochs=60 + max_epochs,
        max_epochs_pretrain=60,
        plan_kwargs=SHORT | {"lr": 1e-2 if cls is sp.bench.DESC else 1e-3, "lr_front": 1e-3},
        seed=0,
        progress=False,
    )
    assert front.metadata["recipe"]["least_cost"] == 0.1
    assert (front.path is not None) == (method == "conditional")
    table = front.to_dataframe()
    assert len(table) == 4
    assert np.isfinite(table[[f"{objective}_test", "generative_loss_test", "batch_left"]]).all(axis=None)
    leaked = table["leakage_mean"].to_numpy()
    assert leaked[0] > 0.1, leaked
    assert leaked[-1] < 0.6 * leaked[0], leaked
    codes = []
    for point in (0, 3, 0):
        assert sp.apply_point(model, front, point) == point
        codes.append(model.get_latent_representation())
    np.testing.assert_array_equal(codes[0], codes[2])
    found = [sp.metrics.probe_information(some, model.adata.obs["batch"]).value for some in codes[:2]]
    assert found[1] < found[0]


@pytest.mark.parametrize(("cls", "training"), [(sp.bench.SAUCIE, {}), (sp.bench.DESC, {"max_epochs_clusters": 5})])
def test_training_is_that_of_the_method_and_a_model_can_be_saved(build, adata, cls, training, tmp_path):
    model = build(cls)
    before = float(get_adapter(model).forward(everyone(model))[1].mean())
    with pytest.raises(RuntimeError, match="trained"):
        model.get_latent_representation()
    model.train(max_epochs=12, **training)
    codes = model.get_latent_representation()
    assert codes.shape == (400, model.module.n_latent)
    if cls is sp.bench.DESC:  # codes are hyperbolic tangents
        assert -1 <= codes.min() < 0 < codes.max() <= 1
    if cls is sp.bench.SAUCIE:
        assert float(get_adapter(model).forward(everyone(model))[1].mean()) < 0.8 * before
        assert len(model.train_indices) == 360
    again = build(cls)
    again.train(max_epochs=12, **training)
    np.testing.assert_array_equal(again.get_latent_representation(), codes)
    model.save(tmp_path / "model")
    loaded = cls.load(tmp_path / "model", adata=model.adata)
    np.testing.assert_array_equal(loaded.get_latent_representation(), codes)
    # Further cells are scaled, and weighed, as those that the model was made for.
    some = adata[:7].copy()
    fewer = cls.load(tmp_path / "model", adata=some)
    np.testing.assert_allclose(fewer.get_latent_representation(), codes[:7], atol=1e-5)
    np.testing.assert_allclose(loaded.get_latent_representation(some), codes[:7], atol=1e-5)


def test_what_is_refused(build):
    with pytest.raises(ValueError, match="'total_correlation' reads the density"):
        sp.fit_front(build(sp.bench.SAUCIE), "total_correlation", "pareto_mtl", progress=False)
    with pytest.raises(ValueError, match="SAUCIE needs adata"):
        sp.bench.SAUCIE()
    with pytest.raises(ValueError, match="weight=-1"):
        build(sp.bench.SAUCIE).train(weight=-1)
    with pytest.raises(ValueError, match="train_size=2"):
        build(sp.bench.SAUCIE).train(train_size=2)
