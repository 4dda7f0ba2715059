"""Integration in one line: what is written, what stays, and what is refused."""

from __future__ import annotations

import warnings

import anndata
import matplotlib.pyplot as plt
import mudata
import numpy as np
import pytest
import scanpy as sc
import torch
from scipy import sparse

import scpareto as sp
from scpareto.pp import variable_genes

SHORT = {
    "n_points": 4,
    "max_epochs": 4,
    "max_epochs_pretrain": 2,
    "progress": False,
    "plan_kwargs": {"n_bootstrap": 5, "critic_warmup": {"max_epochs": 1}},
}


def simulate():
    adata = sp.datasets.simulate_batches(n_cells=240, n_genes=80, n_batches=2, n_types=3, seed=0)
    adata.obs["nothing"] = None
    adata.var["highly_variable"] = False
    return adata


@pytest.fixture(scope="module")
def integrated():
    adata = simulate()
    before = adata.copy()
    return sp.tl.integrate(adata, batch_key="batch", n_top_genes=40, **SHORT), adata, before


def test_codes_and_record_are_written_and_all_else_stays(integrated, tmp_path):
    model, adata, before = integrated
    assert list(adata.obsm) == ["X_scpareto"]
    np.testing.assert_array_equal(adata.obsm["X_scpareto"], model.get_latent_representation())
    assert (adata.X != before.X).nnz == 0 if sparse.issparse(adata.X) else np.array_equal(adata.X, before.X)
    assert list(adata.obs) == list(before.obs)
    assert list(adata.var) == list(before.var)
    record = adata.uns["scpareto"]
    assert record["embeddings"]["X_scpareto"]["point"] == model.selected == model.front.recommended
    assert record["paretovi"]["genes"].tolist() == model.adata.var_names.tolist()
    assert len(record["paretovi"]["genes"]) == 40
    assert set(record["paretovi"]["test_cells"]) == set(adata.obs_names[model.test_indices_])
    del adata.obs["nothing"]
    adata.write_h5ad(tmp_path / "integrated.h5ad")
    cells = anndata.read_h5ad(tmp_path / "integrated.h5ad")
    read = cells.uns["scpareto"]
    assert read["embeddings"]["X_scpareto"]["recommended"]
    assert len(read["paretovi"]["front"]) == 4
    drawn, told = sp.pl.front(cells), sp.pl.front(model)
    assert drawn.get_title(loc="left") == told.get_title(loc="left") != ""
    assert [text.get_text() for text in drawn.texts] == [text.get_text() for text in told.texts]
    assert len(sp.pl.curve(cells)) == 2
    assert len(sp.pl.front_populations(cells)) == len(sp.pl.front_populations(model))
    plt.close("all")


def test_genes_are_those_that_vary_within_batches(integrated):
    model, _, before = integrated
    normal = before.copy()
    sc.pp.normalize_total(normal, target_sum=1e4)
    sc.pp.log1p(normal)
    sc.pp.highly_variable_genes(normal, n_top_genes=40, batch_key="batch")
    torch.set_num_threads(1)
    assert model.adata.var_names.tolist() == normal.var_names[normal.var["highly_variable"]].tolist()
    assert variable_genes(before, None, batch_key="batch", layer=None).all()


def test_neighbours_are_found_in_the_embedding(integrated):
    adata = integrated[1].copy()
    sc.pp.neighbors(adata, use_rep="X_scpareto")
    torch.set_num_threads(1)
    assert adata.obsp["connectivities"].shape == (240, 240)


def test_another_point_is_written_to_the_cells_that_were_given(integrated):
    model, adata, _ = integrated
    recommended = adata.obsm["X_scpareto"].copy()
    try:
        assert model.select(0, key_added="X_weak") == 0
        with model.at(0):
            np.testing.assert_array_equal(adata.obsm["X_weak"], model.get_latent_representation())
        np.testing.assert_array_equal(adata.obsm["X_scpareto"], recommended)
        record = adata.uns["scpareto"]
        assert record["embeddings"]["X_weak"]["point"] == 0
        assert record["embeddings"]["X_scpareto"]["point"] == model.front.recommended
        assert record["paretovi"]["selected"] == 0
        assert record["paretovi"]["batch_key"] == "batch"
        assert "X_weak" not in model.adata.obsm
        model.select(preference=0.5, key_added="X_between")
        assert adata.uns["scpareto"]["embeddings"]["X_between"]["between_points"]
    finally:
        model.select(model.front.recommended)
        for key in ("X_weak", "X_between"):
            adata.obsm.pop(key, None)


def test_equal_seeds_give_equal_embeddings_also_from_a_layer_of_a_file(integrated, tmp_path):
    other = simulate()
    del other.obs["nothing"]
    other.layers["counts"] = other.X.copy()
    other.X = sparse.csr_matrix(other.X.shape, dtype=np.float32)
    other.write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    model = sp.tl.integrate(backed, "batch", layer="counts", n_top_genes=40, key_added="X_again", **SHORT)
    np.testing.assert_allclose(backed.obsm["X_again"], integrated[1].obsm["X_scpareto"], atol=1e-5)
    assert list(model.adata.layers) == ["counts"]


def test_a_modality_gets_its_embedding(integrated):
    rna = simulate()
    del rna.obs["nothing"]
    protein = rna[:, :10].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = mudata.MuData({"rna": rna, "prot": protein})
    with pytest.raises(ValueError, match="modality= names the modality of the counts; the MuData has 'rna', 'prot'"):
        sp.tl.integrate(both, "rna:batch")
    with pytest.raises(KeyError, match="'atac' is not"):
        sp.tl.integrate(both, "rna:batch", modality="atac")
    sp.tl.integrate(both, "rna:batch", modality="rna", n_top_genes=40, **SHORT)
    np.testing.assert_allclose(both["rna"].obsm["X_scpareto"], integrated[1].obsm["X_scpareto"], atol=1e-5)
    assert "scpareto" not in both["prot"].uns
    assert "prot:batch" not in both["rna"].obs


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"batch_key": "study"}, KeyError, "study"),
        ({"batch_key": "one"}, ValueError, "one"),
        ({"layer": "counts"}, KeyError, "counts"),
        ({"modality": "rna"}, ValueError, "modality='rna': adata is an AnnData"),
        ({"n_top_genes": -1}, ValueError, "n_top_genes=-1 must be at least 0"),
        ({"key_added": ""}, ValueError, "key_added=''"),
        ({"key_added": 3}, TypeError, "key_added=3 must be text"),
        ({"n_points": 1}, ValueError, "n_points=1"),
        ({"objective": "nonsense"}, ValueError, "nonsense"),
        ({"seed": -3}, ValueError, "seed"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(changes, error, message):
    adata = simulate()
    adata.obs["one"] = "all"
    with pytest.raises(error, match=message):
        sp.tl.integrate(adata, **{"batch_key": "batch", "progress": False} | changes)
    assert not adata.obsm
    assert "scpareto" not in adata.uns


def test_values_that_are_no_counts_are_refused():
    adata = simulate()
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    torch.set_num_threads(1)
    adata.X = adata.X - 1 if not sparse.issparse(adata.X) else sparse.csr_matrix(adata.X.toarray() - 1)
    with pytest.raises(ValueError, match="negative"):
        sp.tl.integrate(adata, "batch")


def test_cells_that_changed_since_get_no_embedding(integrated):
    model, adata, _ = integrated
    model.write_to(changed := adata.copy())
    try:
        changed._inplace_subset_obs(np.arange(100))
        with pytest.raises(ValueError, match="holds other cells by now"):
            model.select(1, key_added="X_late")
        with pytest.raises(ValueError, match="cells of the model, in its order"):
            model.write_to(adata[::-1])
    finally:
        model.write_to(adata)
        model.select(model.front.recommended)
