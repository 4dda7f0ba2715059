"""Several files as one data set, and cells in zarr stores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest
import scvi
import zarr
from anndata.experimental import AnnCollection
from anndata.io import read_elem, sparse_dataset, write_elem
from scvi.dataloaders import CollectionAdapter

import scpareto
from scpareto.datasets import simulate_batches
from scpareto.model import ParetoVI

PLAN = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
SHORT = {"max_epochs": 4, "max_epochs_pretrain": 2, "n_points": 4, "plan_kwargs": PLAN, "progress": False}
PARTS = ("one", "two")


@pytest.fixture(scope="module")
def cells():
    adata = simulate_batches(300, 40, seed=0)
    adata.layers["counts"] = adata.X.copy()
    return adata


def halves(cells):
    return zip(PARTS, (cells[:140].copy(), cells[140:].copy()), strict=True)


def of_files(cells, folder):
    folder.mkdir(exist_ok=True)
    for name, half in halves(cells):
        half.write_h5ad(folder / f"{name}.h5ad")
    return CollectionAdapter(
        AnnCollection([anndata.read_h5ad(folder / f"{name}.h5ad", backed="r") for name in PARTS], join_vars="inner")
    )


def from_zarr(path):
    group = zarr.open_group(path, mode="r")
    counts = sparse_dataset(group["X"])
    obs, var = read_elem(group["obs"]), read_elem(group["var"])
    return anndata.AnnData(counts, obs=obs, var=var, layers={"counts": counts})


def of_zarr_stores(cells, folder):
    for name, half in halves(cells):
        half.write_zarr(folder / f"{name}.zarr")
    return CollectionAdapter(AnnCollection([from_zarr(folder / f"{name}.zarr") for name in PARTS], join_vars="inner"))


def trained(adata, **kwargs):
    ParetoVI.setup_anndata(adata, batch_key="batch", **kwargs)
    model = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0)
    model.train(**SHORT)
    return model


@pytest.mark.parametrize("collect", [of_files, of_zarr_stores])
def test_a_front_of_several_files(cells, collect, tmp_path):
    adata = collect(cells, tmp_path)
    model = trained(adata, layer="counts")
    found = model.audit("cell_type", control_genes=["gene_3"], scib=False, n_bootstrap=5, progress=False)
    assert np.isfinite(found[["generative_loss_test", "batch_left", "retention", "nmi"]]).all(axis=None)
    model.save(tmp_path / "model")
    # The same state over the same cells, of the files and in memory.
    for data in (adata, cells.copy()):
        loaded = ParetoVI.load(tmp_path / "model", data)
        np.testing.assert_allclose(
            loaded.get_latent_representation(), model.get_latent_representation(), rtol=1e-4, atol=1e-5
        )
    assert model.differential_expression(groupby="batch", all_stats=False, silent=True).shape[0] == 3 * cells.n_vars


def guide():
    """Code of the user guide on cells that stay on disk."""
    path = Path(__file__).parents[2] / "docs" / "user_guide" / "scvi_tools.md"
    text = path.read_text().split("## Cells that stay on disk")[1]
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_the_guide_is_as_it_says(cells, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells.write_h5ad("cells.h5ad")
    cells.write_zarr("cells.zarr")
    store = zarr.open_group("annbatch.zarr", mode="w")
    for name, half in halves(cells):
        half.write_h5ad(f"{name}.h5ad")
        # As annbatch lays out its collections.
        write_elem(store, f"dataset_{PARTS.index(name)}", half)
    names: dict[str, Any] = {"sp": scpareto, "anndata": anndata}
    blocks = guide()
    assert len(blocks) == 4
    for block in blocks:
        exec(block, names)
        model = ParetoVI(names["adata"], n_hidden=16, n_latent=3, seed=0)
        model.train(**SHORT)
        assert len(model.get_latent_representation()) == cells.n_obs


def test_what_annbatch_writes_is_read(cells, tmp_path, monkeypatch):
    annbatch = pytest.importorskip("annbatch", reason="annbatch needs Python 3.12 or newer")
    monkeypatch.chdir(tmp_path)
    of_files(cells, tmp_path)
    collection = annbatch.DatasetCollection("annbatch.zarr")
    files = [f"{name}.h5ad" for name in PARTS]
    collection.add_adatas(files, dataset_size=160, shuffle_chunk_size=20, n_obs_per_chunk=16)
    names: dict[str, Any] = {"sp": scpareto, "anndata": anndata}
    for block in guide():
        if "def stored" in block:
            exec(block.split("adata = ")[0], names)
        if "CollectionAdapter" in block:
            exec(block, names)
    rows = np.arange(0, 300, 7)
    found, adata = names["adata"].layers["counts"][rows], names["adata"]
    np.testing.assert_array_equal(found.toarray(), cells[adata.obs_names[rows]].X.toarray())
    ParetoVI(adata, n_hidden=16, n_latent=3, seed=0).train(**SHORT)


def test_sparse_groups_of_zarr_give_the_front_of_memory(cells, tmp_path):
    cells.write_zarr(tmp_path / "cells.zarr")
    inside, outside = trained(cells.copy()), trained(from_zarr(tmp_path / "cells.zarr"))
    columns = ["generative_loss_test", "batch_left", "structure_kept"]
    np.testing.assert_allclose(outside.front.table[columns], inside.front.table[columns], rtol=1e-5)


def test_two_collections_are_not_taken_for_the_same_data(cells, tmp_path):
    one, two = (of_files(cells, tmp_path / name) for name in PARTS)
    for adata in (one, two):
        ParetoVI.setup_anndata(adata, layer="counts", batch_key="batch")
    assert one.uns["_scvi_uuid"] != two.uns["_scvi_uuid"]
    assert "_scvi_uuid" not in CollectionAdapter.uns


def test_clusters_of_a_collection_are_columns_of_obs(cells, tmp_path):
    adata = of_files(cells, tmp_path)
    ParetoVI.setup_anndata(adata, layer="counts", batch_key="batch")
    model = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0)
    with pytest.raises(KeyError, match="neither a clustering nor a key"):
        model.train(**SHORT, objective_kwargs={"given": "nowhere"})
    model.train(**SHORT, objective_kwargs={"given": "cell_type"})
    assert np.isfinite(model.front.table["batch_left"]).all()


def test_collections_that_cannot_be_read_are_refused(cells, tmp_path):
    adata = of_files(cells, tmp_path)
    with pytest.raises(ValueError, match="name one, layer=... Available: 'counts'"):
        ParetoVI.setup_anndata(adata, batch_key="batch")
    with pytest.raises(KeyError, match="layer='raw' is not in every file"):
        ParetoVI.setup_anndata(adata, layer="raw", batch_key="batch")
    with pytest.raises(TypeError, match="CollectionAdapter"):
        ParetoVI.setup_anndata(adata.collection, layer="counts", batch_key="batch")
    dense = cells.copy()
    dense.layers["counts"] = dense.layers["counts"].toarray()
    with pytest.raises(TypeError, match="not sparse"):
        ParetoVI.setup_anndata(of_files(dense, tmp_path / "dense"), layer="counts", batch_key="batch")


def test_a_negative_count_of_the_second_file_is_named(cells, tmp_path):
    wrong = cells.copy()
    wrong.layers["counts"][250, 7] = -3
    with pytest.raises(ValueError, match="negative; the first is -3.0 in cell 'cell_250', gene 'gene_7'"):
        ParetoVI.setup_anndata(of_files(wrong, tmp_path), layer="counts", batch_key="batch")


def test_dense_zarr_arrays_are_refused_before_training(cells, tmp_path):
    dense = cells.copy()
    dense.X = dense.X.toarray()
    dense.write_zarr(tmp_path / "dense.zarr")
    group = zarr.open_group(tmp_path / "dense.zarr", mode="r")
    adata = anndata.AnnData(group["X"], obs=read_elem(group["obs"]), var=read_elem(group["var"]))
    with pytest.raises(ValueError, match="zarr.*which scvi-tools does not read.*csr_matrix"):
        ParetoVI.setup_anndata(adata, batch_key="batch")


def test_lazily_read_data_are_refused_before_training(cells, tmp_path):
    pytest.importorskip("dask", reason="anndata reads lazily by dask")
    pytest.importorskip("xarray", reason="anndata reads obs lazily by xarray")
    cells.write_zarr(tmp_path / "cells.zarr")
    adata = anndata.experimental.read_lazy(tmp_path / "cells.zarr")
    with pytest.raises(ValueError, match=r"adata.obs is read lazily"):
        ParetoVI.setup_anndata(adata, batch_key="batch")
    adata.obs = adata.obs.to_memory()
    with pytest.raises(ValueError, match="Dask arrays must be dense"):
        ParetoVI.setup_anndata(adata, batch_key="batch")


def test_the_adapter_of_scvi_tools_has_no_x(cells, tmp_path):
    """Why a layer has to be named; if this fails, the limit can go."""
    adata = of_files(cells, tmp_path)
    with pytest.raises(AttributeError, match="no attribute 'X'"):
        scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
