"""Many cells, and cells that stay in a file."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from anndata.io import sparse_dataset
from scipy import sparse

import scpareto as sp
from scpareto.tl._judged_cells import stratified_sample

OPTIONS = {"batch_key": "batch", "n_bootstrap": 10}


@pytest.fixture(scope="module")
def in_memory(small):
    return sp.tl.judge(small.copy(), ["X_types", "X_both"], **OPTIONS)


def written(small, path, *, dense):
    adata = small.copy()
    if dense:
        adata.X = adata.X.toarray()
    adata.write_h5ad(path)
    return path


@pytest.mark.parametrize("dense", [False, True])
def test_a_backed_file_has_the_numbers_of_cells_in_memory(small, in_memory, tmp_path, dense):
    adata = anndata.read_h5ad(written(small, tmp_path / "cells.h5ad", dense=dense), backed="r")
    table = sp.tl.judge(adata, ["X_types", "X_both"], groups_key="group", **OPTIONS)
    pd.testing.assert_frame_equal(table, in_memory)
    assert adata.isbacked
    assert adata.uns["scpareto"]["judge"]["arguments"]["n_cells"] == 400
    assert adata.obs["group"].notna().any()


def test_matrices_of_a_zarr_store_are_read_by_rows(small, in_memory, tmp_path):
    small.write_zarr(tmp_path / "cells.zarr")
    store = zarr.open_group(tmp_path / "cells.zarr", mode="r")
    codes = {key: store["obsm"][key] for key in ("X_types", "X_both")}
    adata = anndata.AnnData(X=sparse_dataset(store["X"]), obs=small.obs, var=small.var, obsm=codes)
    pd.testing.assert_frame_equal(sp.tl.judge(adata, ["X_types", "X_both"], **OPTIONS), in_memory)


def test_only_the_rows_of_the_sample_are_read_and_that_is_said(small, tmp_path, monkeypatch):
    read = []
    original = h5py.Dataset.__getitem__

    def noted(self, rows, *rest, **options):
        if self.name == "/X":
            read.append(rows)
        return original(self, rows, *rest, **options)

    adata = anndata.read_h5ad(written(small, tmp_path / "cells.h5ad", dense=True), backed="r")
    monkeypatch.setattr(h5py.Dataset, "__getitem__", noted)
    table = sp.tl.judge(adata, "X_types", max_cells=200, **OPTIONS)
    rows = np.concatenate([np.ravel(one[0] if isinstance(one, tuple) else one) for one in read])
    assert len(rows) == 200
    assert (np.diff(rows) > 0).all()
    record = adata.uns["scpareto"]["judge"]
    assert record["arguments"]["n_cells"] == 200
    assert record["arguments"]["n_cells_given"] == 400
    assert any(note.startswith("Judged on a sample of 200 of 400 cells") for note in record["notes"])
    assert table["structure_kept"]["X_types"] > 60


def test_a_sample_has_the_numbers_of_its_cells_alone(small):
    table = sp.tl.judge(small.copy(), "X_both", max_cells=200, **OPTIONS)
    rows = stratified_sample(small.obs["batch"].astype(str).to_numpy(), [None, None], 200, seed=0)
    alone = sp.tl.judge(small[rows].copy(), "X_both", **OPTIONS)
    pd.testing.assert_frame_equal(table, alone)


def test_a_sample_is_in_proportion_and_small_batches_stay_whole():
    rng = np.random.default_rng(0)
    batch = np.repeat(["a", "b", "c"], [60_000, 30_000, 40])
    sample = rng.integers(3, size=len(batch)).astype(str)
    rows = stratified_sample(batch, [sample], 9000, seed=1)
    sizes = pd.Series(batch[rows]).value_counts()
    assert sizes["c"] == 40
    assert abs(sizes["a"] / sizes["b"] - 2) < 0.1
    assert abs(len(rows) - 9000) < 10
    assert (np.diff(rows) > 0).all()
    by_sample = pd.Series(sample[rows][batch[rows] == "a"]).value_counts() / pd.Series(sample[:60_000]).value_counts()
    assert by_sample.max() - by_sample.min() < 0.001
    np.testing.assert_array_equal(rows, stratified_sample(batch, [sample], 9000, seed=1))
    assert len(np.intersect1d(rows, stratified_sample(batch, [sample], 9000, seed=2))) < 2000


def test_a_graph_of_sampled_cells_is_judged_by_its_mixing_alone(small):
    adata = small.copy()
    near = np.random.default_rng(0).integers(400, size=(400, 15))
    graph = sparse.csr_matrix((np.ones(6000), near.ravel(), np.arange(0, 6001, 15)), shape=(400, 400))
    graph.sum_duplicates()
    adata.obsp["mixed"] = graph
    whole = sp.tl.judge(adata, (), neighbors_key="mixed", **OPTIONS)
    table = sp.tl.judge(adata, (), neighbors_key="mixed", max_cells=200, **OPTIONS)
    assert np.isfinite(whole["structure_kept"]["mixed"])
    assert np.isnan(table["structure_kept"]["mixed"])
    # Random neighbours mix fully, however few of them are left.
    assert abs(whole["graph_mixing"]["mixed"] - 100) < 8
    assert abs(table["graph_mixing"]["mixed"] - 100) < 15
    assert not table["alarm"]["mixed"]
    notes = adata.uns["scpareto"]["judge"]["notes"]
    assert any("structure_kept and the alarm need all neighbours" in note for note in notes)


def test_a_part_of_a_backed_file_and_copies_of_one_are_refused(small, tmp_path):
    adata = anndata.read_h5ad(written(small, tmp_path / "cells.h5ad", dense=False), backed="r")
    with pytest.raises(ValueError, match="a part of a backed file"):
        sp.tl.judge(adata[:300], "X_types", **OPTIONS)
    with pytest.raises(ValueError, match="copy=True needs cells in memory"):
        sp.tl.judge(adata, "X_types", copy=True, **OPTIONS)
