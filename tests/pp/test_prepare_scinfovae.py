from __future__ import annotations

import numpy as np
import pytest
import scanpy as sc
from anndata import AnnData
from scipy import sparse

from scpareto.datasets import simulate_batches
from scpareto.pp import prepare_scinfovae

KEY = "scinfovae_size_factor"


@pytest.fixture
def cells():
    adata = simulate_batches(150, 80, n_batches=1, n_types=3, seed=0)
    adata.layers["counts"] = adata.X.copy()
    return adata


def test_filters_by_hand():
    counts = np.ones((200, 100))
    counts[:, 0] = 0
    counts[:1, 0] = 5  # in one of 200 cells, below 1 %
    counts[0, 1:] = 0  # no other gene: 0 of 99 left
    counts[1, 1:] = 0
    counts[1, 1] = 1  # one of 99 genes is above 1 %
    prepared = prepare_scinfovae(AnnData(counts), n_top_genes=99)
    assert prepared.shape == (199, 99)
    assert "0" not in prepared.obs_names
    assert "0" not in prepared.var_names
    assert "1" in prepared.obs_names


def test_size_factors_come_from_all_genes(cells):
    prepared = prepare_scinfovae(cells, n_top_genes=20)
    totals = np.asarray(cells.X.sum(axis=1)).ravel()
    np.testing.assert_allclose(prepared.obs[KEY], totals / np.median(totals))
    assert prepared.uns["scpareto"]["prepare_scinfovae"]["median_total"] == np.median(totals)


def test_raw_counts_stay(cells):
    before = cells.X.copy()
    prepared = prepare_scinfovae(cells, n_top_genes=20)
    assert (cells.X != before).nnz == 0
    assert KEY not in cells.obs
    np.testing.assert_array_equal(prepared.X.toarray(), cells[:, prepared.var_names].X.toarray())
    np.testing.assert_array_equal(prepared.layers["counts"].toarray(), prepared.X.toarray())
    assert prepared.n_vars == 20
    assert prepared.obs["cell_type"].tolist() == cells.obs["cell_type"].tolist()


def test_dispersions_are_those_of_scanpy(cells):
    cells = cells[:, np.asarray((cells.X > 0).sum(axis=0)).ravel() > 2].copy()
    prepared = prepare_scinfovae(cells, n_top_genes=25)
    other = cells.copy()
    sc.pp.normalize_total(other)
    sc.pp.log1p(other)
    sc.pp.highly_variable_genes(other, n_top_genes=25, flavor="seurat")
    assert set(prepared.var_names) == set(other.var_names[other.var["highly_variable"]])


def test_plain_variance_takes_the_largest(cells):
    prepared = prepare_scinfovae(cells, n_top_genes=10, gene_selection="variance")
    totals = np.asarray(cells.X.sum(axis=1))
    u = np.log1p(cells.X.toarray() / (totals / np.median(totals)))
    assert set(prepared.var_names) == set(cells.var_names[np.argsort(-u.var(axis=0))[:10]])


def test_dense_counts_and_layers_give_the_same(cells):
    sparse_one = prepare_scinfovae(cells, n_top_genes=30)
    dense = AnnData(cells.X.toarray(), obs=cells.obs, var=cells.var, layers={"raw": cells.X.toarray()})
    for other in (prepare_scinfovae(dense, n_top_genes=30), prepare_scinfovae(dense, layer="raw", n_top_genes=30)):
        np.testing.assert_array_equal(other.X.toarray(), sparse_one.X.toarray())


def test_new_cells_get_genes_and_scale_of_the_reference(cells):
    reference = prepare_scinfovae(cells[:100].copy(), n_top_genes=30)
    shuffled = cells[100:, ::-1].copy()
    new = prepare_scinfovae(shuffled, reference=reference)
    assert new.var_names.tolist() == reference.var_names.tolist()
    assert new.n_obs == 50
    median = reference.uns["scpareto"]["prepare_scinfovae"]["median_total"]
    np.testing.assert_allclose(new.obs[KEY], np.asarray(cells[100:].X.sum(axis=1)).ravel() / median)
    with pytest.raises(KeyError, match="lacks 30 genes"):
        prepare_scinfovae(cells[:, ~cells.var_names.isin(reference.var_names)].copy(), reference=reference)
    with pytest.raises(ValueError, match="no record of prepare_scinfovae"):
        prepare_scinfovae(cells, reference=cells)


def test_fractions_are_rounded_up_and_said(cells):
    fractional = AnnData(sparse.csr_matrix(cells.X.multiply(0.9)), var=cells.var)
    with pytest.warns(UserWarning, match="rounded up"):
        prepared = prepare_scinfovae(fractional, n_top_genes=30)
    assert np.all(prepared.X.data == np.floor(prepared.X.data))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"gene_selection": "mean"}, ValueError, "gene_selection='mean'.*dispersion, variance"),
        ({"min_cells": 2}, ValueError, "min_cells=2"),
        ({"n_top_genes": 0}, ValueError, "n_top_genes=0"),
        ({"layer": "raw"}, KeyError, "layer='raw'.*counts"),
        ({"min_cells": 1.0, "min_genes": 1.0}, ValueError, "leaves 0 genes|then 0 cells|leaves"),
    ],
)
def test_bad_arguments_are_refused(cells, options, error, message):
    if options.get("min_cells") == 1.0:
        cells.X = sparse.csr_matrix(np.eye(*cells.shape, dtype=np.float32))
    with pytest.raises(error, match=message):
        prepare_scinfovae(cells, **options)


def test_negative_values_are_refused(cells):
    cells.X = cells.X * -1
    with pytest.raises(ValueError, match="negative"):
        prepare_scinfovae(cells)
