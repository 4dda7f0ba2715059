"""Cells that stay on disk."""

from __future__ import annotations

import anndata
import numpy as np
import pytest

from scpareto._cells._split import sample_judged_cells
from scpareto.datasets import simulate_batches
from scpareto.model import ParetoVI

PLAN = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
SHORT = {"max_epochs": 4, "max_epochs_pretrain": 2, "n_points": 4, "plan_kwargs": PLAN, "progress": False}


@pytest.fixture(scope="module", params=["sparse", "dense"])
def backed(request, tmp_path_factory):
    adata = simulate_batches(300, 40, seed=0)
    if request.param == "dense":
        adata.X = adata.X.toarray()
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    adata.write_h5ad(path)
    return adata, anndata.read_h5ad(path, backed="r"), path


def test_a_front_of_cells_on_disk(backed, tmp_path):
    adata, on_disk, path = backed
    ParetoVI.setup_anndata(on_disk, batch_key="batch")
    model = ParetoVI(on_disk, n_hidden=16, n_latent=3, seed=0)
    model.train(**SHORT, checkpoint_dir=tmp_path / "parts")
    columns = ["generative_loss_test", "batch_left", "structure_kept"]
    assert np.isfinite(model.front.to_dataframe()[columns]).all(axis=None)
    model.save(tmp_path / "model")
    # The same state, over the same cells in memory and read again from the file.
    inside = ParetoVI.load(tmp_path / "model", adata.copy())
    outside = ParetoVI.load(tmp_path / "model", anndata.read_h5ad(path, backed="r"))
    for loaded in (inside, outside):
        np.testing.assert_allclose(
            loaded.get_latent_representation(), model.get_latent_representation(), rtol=1e-4, atol=1e-5
        )
        loaded.select(1)
    np.testing.assert_allclose(
        inside.get_latent_representation(), outside.get_latent_representation(), rtol=1e-4, atol=1e-5
    )
    # A second call finds everything: the file's counts have the same hash again.
    again = ParetoVI(on_disk, n_hidden=16, n_latent=3, seed=0)
    again.train(**SHORT, checkpoint_dir=tmp_path / "parts")
    assert again.front.numbers == model.front.numbers


def test_bad_counts_on_disk_are_named(tmp_path):
    adata = simulate_batches(60, 12, seed=0)
    values = adata.X.toarray()
    values[37, 5] = -2
    adata.X = values
    adata.write_h5ad(tmp_path / "bad.h5ad")
    with pytest.raises(ValueError, match=r"negative; the first is -2.0 in cell '.*37'"):
        ParetoVI.setup_anndata(anndata.read_h5ad(tmp_path / "bad.h5ad", backed="r"), batch_key="batch")


def test_bad_counts_of_a_later_block_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("scpareto._cells._validate.row_blocks", lambda values: [(0, values[:30]), (30, values[30:])])
    adata = simulate_batches(60, 12, seed=0)
    values = adata.X.toarray()
    values[37, 5] = np.nan
    adata.X = values
    with pytest.raises(ValueError, match=f"cell '{adata.obs_names[37]}', gene '{adata.var_names[5]}'"):
        ParetoVI.setup_anndata(adata, batch_key="batch")


@pytest.mark.parametrize("where", ["in memory", "on disk"])
def test_a_front_of_many_cells_is_judged_by_a_sample(where, tmp_path, monkeypatch):
    monkeypatch.setitem(sample_judged_cells.__kwdefaults__, "max_cells", 200)
    adata = simulate_batches(600, 40, seed=0)
    adata.obs["type"] = np.tile(["a", "b"], 300)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    if where == "on disk":
        adata = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0)
    model.train(**SHORT, checkpoint_dir=tmp_path / "parts")
    judged = model.front.metadata["n_judged"]
    assert [judged[part] for part in ("train", "validation", "test")] == pytest.approx([140, 20, 40], abs=2)
    assert {part: len(index) for part, index in model.front.metadata["indices"].items()}["test"] == 120
    before = model.front.to_dataframe()
    assert np.isfinite(before[["generative_loss_test", "structure_kept"]]).all(axis=None)
    # The audit after training is of the same cells, with labels and genes of these.
    after = model.audit("type", control_genes=[adata.var_names[1]], scib=False, n_bootstrap=5, progress=False)
    for column in ("batch_left", "structure_kept"):
        np.testing.assert_allclose(after[column], before[column])
    assert after["silhouette"].between(-1, 1).all()
    # Minibatches and codes are those of all cells.
    assert model.get_latent_representation().shape == (600, 3)
    again = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0)
    again.train(**SHORT, checkpoint_dir=tmp_path / "parts")
    assert again.front.metadata["n_judged"] == judged


def test_clusters_that_are_found_are_those_of_all_cells(monkeypatch):
    monkeypatch.setitem(sample_judged_cells.__kwdefaults__, "max_cells", 200)
    adata = simulate_batches(600, 40, seed=0)
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0)
    for given in ("pca", "corrected"):
        model.train(**SHORT, objective_kwargs={"given": given, "n_clusters": 2})
        assert np.isfinite(model.front.to_dataframe()["structure_kept"]).all()


def test_few_cells_are_all_judged(backed):
    adata, *_ = backed
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0)
    model.train(**SHORT)
    assert "n_judged" not in model.front.metadata
