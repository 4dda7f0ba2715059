"""Embeddings judged in one line."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import scpareto as sp
from scpareto.tl._judge_inputs import read_inputs


@pytest.fixture(scope="module")
def cells():
    """Two batches of three types: uncorrected components, the same without the batch, and noise."""
    adata = sp.datasets.simulate_batches(
        n_cells=600, n_genes=150, n_batches=2, n_types=3, batch_strength=1.5, type_strength=1.3, seed=0
    )
    normal = adata.copy()
    sc.pp.normalize_total(normal)
    sc.pp.log1p(normal)
    sc.pp.pca(normal, n_comps=10)
    codes = np.asarray(normal.obsm["X_pca"], dtype=float)
    groups = adata.obs["batch"].astype(str) + adata.obs["cell_type"].astype(str)
    means = pd.DataFrame(codes).groupby(groups.to_numpy()).transform("mean").to_numpy()
    of_type = pd.DataFrame(codes).groupby(adata.obs["cell_type"].to_numpy()).transform("mean").to_numpy()
    adata.obsm["X_pca"], adata.obsm["X_corrected"] = codes, codes - means + of_type
    adata.obsm["X_random"] = np.random.default_rng(0).normal(size=(600, 5))
    adata.layers["lognorm"] = normal.X
    return adata


@pytest.fixture(scope="module")
def judged(cells):
    adata = cells.copy()
    table = sp.tl.judge(adata, ["X_pca", "X_corrected", "X_random"], batch_key="batch", n_bootstrap=50)
    return adata, table


def test_the_batch_is_left_where_it_is_and_structure_where_cells_are(judged):
    table = judged[1]
    assert table.index.tolist() == ["X_pca", "X_corrected", "X_random"]
    assert table["batch_left"]["X_pca"] > 80
    assert table["batch_left"]["X_corrected"] < 25
    assert abs(table["batch_left"]["X_random"]) < 10
    assert table["structure_kept"]["X_corrected"] > 80
    assert abs(table["structure_kept"]["X_random"]) < 15
    assert table["recommended"].tolist() == [False, True, False]
    known = table.dropna(subset=["batch_left"])
    assert (known["batch_left_low"] <= known["batch_left"]).all()
    assert (known["batch_left"] <= known["batch_left_high"]).all()


def test_the_alarm_rings_for_noise_and_names_what_it_lost(judged):
    adata, table = judged
    assert table["alarm"].tolist() == [False, False, True]
    rows = sp.tl.lost(adata, "X_random")
    assert rows["rings"].all()
    assert rows["lost"].is_monotonic_decreasing
    assert rows["contrast"].is_unique
    assert sp.tl.lost(adata, "X_pca").empty
    assert len(sp.tl.lost(adata, all_contrasts=True)) > len(rows)
    with pytest.raises(KeyError, match="X_umap.* was not judged; judged were 'X_pca', 'X_corrected', 'X_random'"):
        sp.tl.lost(adata, "X_umap")


def test_doublet_scores_and_samples_reach_the_alarm(cells):
    adata = cells[:, :].copy()
    adata.obs["doublet_score"] = np.random.default_rng(0).random(600)
    adata.obs["predicted_doublet"] = adata.obs["doublet_score"] > 0.9
    adata.obs["scDblFinder.score"] = np.where(np.arange(600) == 3, np.nan, 0.5)
    adata.obs["donor"] = np.random.default_rng(1).integers(4, size=600).astype(str)
    inputs = read_inputs(
        adata,
        ["X_pca"],
        batch_key="batch",
        layer=None,
        sample_key="donor",
        neighbors_key=[],
        used_genes=None,
    )
    assert list(inputs.covariates) == ["doublet_score", "predicted_doublet"], "a column that misses cells is left out"
    assert inputs.covariates["predicted_doublet"].mean() < 0.2
    sp.tl.judge(adata, "X_random", batch_key="batch", sample_key="donor", n_bootstrap=20)
    rows = sp.tl.lost(adata, all_contrasts=True)
    assert rows["errors_of"].eq("samples").all()
    assert rows["rings"].any()


def test_without_a_batch_effect_there_is_nothing_to_remove(cells):
    adata = cells[cells.obs["batch"] == cells.obs["batch"].iloc[0]].copy()
    adata.obs["half"] = np.where(np.random.default_rng(0).random(adata.n_obs) < 0.5, "a", "b")
    table = sp.tl.judge(adata, ["X_pca", "X_random"], batch_key="half", n_bootstrap=50)
    assert table["no_batch_effect"].all()
    assert "There is no batch effect to remove on these cells" in adata.uns["scpareto"]["judge"]["sentence"]
    assert table.index[table["recommended"]].tolist() == ["X_pca"]


def test_the_record_says_it_and_survives_a_file(judged, tmp_path):
    adata, table = judged
    record = adata.uns["scpareto"]["judge"]
    assert "Recommended: X_corrected" in record["sentence"]
    adata.write_h5ad(tmp_path / "judged.h5ad")
    read = anndata.read_h5ad(tmp_path / "judged.h5ad").uns["scpareto"]["judge"]
    np.testing.assert_allclose(read["table"]["batch_left"], table["batch_left"])
    assert read["sentence"] == record["sentence"]
    assert read["arguments"]["batch_key"] == "batch"
    ax = sp.pl.judge(anndata.read_h5ad(tmp_path / "judged.h5ad"))
    assert ax.get_title(loc="left").startswith("X_corrected: ")


def test_numbers_do_not_depend_on_what_else_is_judged(cells, judged):
    alone = sp.tl.judge(cells.copy(), "X_corrected", batch_key="batch", n_bootstrap=50)
    columns = ["batch_left", "structure_kept", "graph_mixing"]
    pd.testing.assert_frame_equal(alone[columns], judged[1].loc[["X_corrected"], columns])


def test_a_copy_leaves_the_cells_alone(cells):
    found = sp.tl.judge(cells, "X_random", batch_key="batch", n_bootstrap=10, copy=True, key_added="noise")
    assert "scpareto" not in cells.uns
    assert set(found.uns["scpareto"]) == {"noise"}


def test_a_graph_is_judged_without_codes(cells):
    adata = cells.copy()
    sc.pp.neighbors(adata, use_rep="X_corrected", key_added="mixed")
    table = sp.tl.judge(adata, "X_pca", batch_key="batch", neighbors_key="mixed", n_bootstrap=10)
    assert np.isnan(table["batch_left"]["mixed"])
    assert table["structure_kept"]["mixed"] > 70
    assert table["graph_mixing"]["mixed"] > table["graph_mixing"]["X_pca"] + 20


def test_without_counts_the_batch_is_measured_and_the_layer_with_counts_is_named(cells):
    adata = cells.copy()
    adata.layers["counts"] = adata.X.copy()
    adata.X = adata.layers.pop("lognorm")
    with pytest.warns(UserWarning, match="holds no counts. Counts are in layer='counts'"):
        table = sp.tl.judge(adata, "X_pca", batch_key="batch", n_bootstrap=10)
    assert table["batch_left"].notna().all()
    assert table["structure_kept"].isna().all()
    assert "in this order?" not in adata.uns["scpareto"]["judge"]["sentence"]
    named = sp.tl.judge(adata, "X_pca", batch_key="batch", layer="counts", n_bootstrap=10)
    assert named["structure_kept"].notna().all()


def test_few_unused_genes_are_too_few_and_that_is_said(cells):
    adata = cells.copy()
    adata.var["used"] = np.arange(adata.n_vars) < 130
    table = sp.tl.judge(adata, "X_pca", batch_key="batch", n_bootstrap=10, used_genes="used")
    assert adata.uns["scpareto"]["judge"]["codes_have_seen_the_counts"]
    assert "The codes have seen the counts" in adata.uns["scpareto"]["judge"]["sentence"]
    assert np.isfinite(table["structure_kept"]).all()


def test_sparse_codes_and_dense_counts_are_read(cells):
    adata = cells.copy()
    adata.obsm["X_sparse"] = sparse.csr_matrix(adata.obsm["X_random"])
    adata.X = adata.X.toarray()
    table = sp.tl.judge(adata, ["X_sparse", "X_random"], batch_key="batch", n_bootstrap=10)
    assert table["batch_left"]["X_sparse"] == table["batch_left"]["X_random"]


def change(adata, **changes):
    for name, value in changes.items():
        adata.obs[name] = value
    return adata


def short_batch(adata):
    return change(adata, short=np.where(np.arange(adata.n_obs) < 5, "tiny", adata.obs["batch"].astype(str)))


def with_codes(adata, codes):
    adata.obsm["X_bad"] = codes
    return adata


def text_codes(adata):
    return with_codes(adata, pd.DataFrame({"a": ["x"] * adata.n_obs}, index=adata.obs_names))


def empty_codes(adata):
    return with_codes(adata, np.full((adata.n_obs, 2), np.nan))


def same(adata):
    return adata


def named_as_the_reference(adata):
    adata.obsm["components"] = adata.obsm["X_pca"]
    return adata


BAD = [
    (same, {"use_rep": "X_umap"}, KeyError, "X_umap.* is not in adata.obsm; it holds 'X_pca'"),
    (same, {"use_rep": []}, ValueError, "use_rep is empty: name embeddings"),
    (same, {"batch_key": "donor"}, KeyError, "batch_key='donor' is not in adata.obs; it holds"),
    (lambda a: change(a, one="x"), {"batch_key": "one"}, ValueError, r"has one batch only \(x\)"),
    (short_batch, {"batch_key": "short"}, ValueError, r"tiny \(5\) has fewer than 20 cells"),
    (same, {"layer": "raw"}, KeyError, "layer='raw' is not in adata.layers; it holds 'lognorm'"),
    (same, {"neighbors_key": "bbknn"}, KeyError, "names no neighbour graph"),
    (same, {"reference": "X_none"}, KeyError, "X_none"),
    (same, {"used_genes": "none"}, KeyError, "no column of True and False"),
    (same, {"used_genes": [True, False]}, ValueError, "a mask of the 150 genes"),
    (named_as_the_reference, {"use_rep": "components"}, ValueError, "rename the embedding"),
    (empty_codes, {"use_rep": "X_bad"}, ValueError, "not finite, first in cell"),
    (text_codes, {"use_rep": "X_bad"}, ValueError, "does not hold numbers"),
]


@pytest.mark.parametrize(("prepare", "options", "error", "told"), BAD)
def test_what_cannot_be_judged_is_refused_with_the_reason(cells, prepare, options, error, told):
    arguments = {"use_rep": "X_pca", "batch_key": "batch"} | options
    with pytest.raises(error, match=told):
        sp.tl.judge(prepare(cells.copy()), **arguments)


def test_missing_batches_are_named_by_cell(cells):
    adata = cells.copy()
    adata.obs["batch"] = adata.obs["batch"].where(np.arange(adata.n_obs) != 3)
    with pytest.raises(ValueError, match=f"missing for 1 cells, first for '{adata.obs_names[3]}'"):
        sp.tl.judge(adata, "X_pca", batch_key="batch")


def test_the_plane_asks_for_a_judgement(cells):
    with pytest.raises(KeyError, match="run sp.tl.judge"):
        sp.pl.judge(cells)
