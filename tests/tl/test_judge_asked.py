"""Labels, conditions, control genes and populations, asked of the judge in one line."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import scpareto as sp

CONDITION_GENES = slice(100, 130)


@pytest.fixture(scope="module")
def cells():
    """Two batches of three types, half of the cells stimulated: as they are, without batch, and without stimulus."""
    adata = sp.datasets.simulate_batches(
        n_cells=600, n_genes=150, n_batches=2, n_types=3, batch_strength=1.5, type_strength=1.3, seed=0
    )
    rng = np.random.default_rng(1)
    stimulated = rng.random(adata.n_obs) < 0.5
    adata.obs["condition"] = np.where(stimulated, "stim", "ctrl")
    adata.obs["site"] = np.where(adata.obs["batch"] == adata.obs["batch"].iloc[0], "north", "south")
    counts = np.asarray(adata.X.todense() if hasattr(adata.X, "todense") else adata.X)
    counts[stimulated, CONDITION_GENES] = rng.poisson(3 * counts[stimulated, CONDITION_GENES] + 2)
    adata.X = counts.astype(np.float32)
    normal = adata.copy()
    sc.pp.normalize_total(normal)
    sc.pp.log1p(normal)
    sc.pp.pca(normal, n_comps=15)
    codes = pd.DataFrame(np.asarray(normal.obsm["X_pca"], dtype=float))
    kind, batch, condition = (adata.obs[name].astype(str).to_numpy() for name in ("cell_type", "batch", "condition"))

    def without(*keys):
        """Codes of equal means over what is not named."""
        return (codes - codes.groupby([kind, batch, condition]).transform("mean")).to_numpy() + codes.groupby(
            list(keys)
        ).transform("mean").to_numpy()

    adata.obsm["X_pca"] = codes.to_numpy()
    adata.obsm["X_corrected"] = without(kind, condition)
    adata.obsm["X_over"] = without(kind)
    adata.obs["annotated"] = pd.Series(kind, index=adata.obs_names).where(rng.random(adata.n_obs) < 0.9)
    return adata


@pytest.fixture(scope="module")
def judged(cells):
    adata = cells.copy()
    genes = [adata.var_names[110]]
    table = sp.tl.judge(
        adata,
        ["X_pca", "X_corrected", "X_over"],
        batch_key="batch",
        protect_key="condition",
        control_genes=genes,
        n_bootstrap=50,
    )
    return adata, table


def test_a_condition_that_was_removed_with_the_batch_rings(judged):
    adata, table = judged
    assert table["condition_kept"]["X_corrected"] > 90
    assert table["condition_kept"]["X_over"] < 20
    assert (table["condition_kept_low"] <= table["condition_kept_high"]).all()
    assert table["alarm"].to_dict() == {"X_pca": False, "X_corrected": False, "X_over": True}
    assert "condition" in table["alarm_by"]["X_over"].split("; ")
    assert table.index[table["recommended"]].tolist() == ["X_corrected"]
    record = adata.uns["scpareto"]["judge"]
    assert "Alarm: X_over keeps only" in record["sentence"]
    assert record["protected"] == {"key": "condition", "design": "within batches"}


def test_a_control_gene_that_was_lost_is_named(judged):
    adata, table = judged
    gene = adata.var_names[110]
    rows = sp.tl.control_genes(adata).set_index("embedding")
    assert rows["kept"]["X_corrected"] > 80
    assert rows["alarm"]["X_over"]
    assert f"X_over lost the pattern of {gene}" in adata.uns["scpareto"]["judge"]["sentence"]
    assert gene in table["alarm_by"]["X_over"]
    assert len(sp.tl.control_genes(adata, "X_over")) == 1


def test_populations_are_named_by_genes_and_told_by_embedding(judged):
    adata = judged[0]
    rows = sp.tl.populations(adata)
    assert list(dict.fromkeys(rows["embedding"])) == ["X_pca", "X_corrected", "X_over"], "in the order given"
    named = rows.drop_duplicates("population")
    assert named["name"].is_unique
    assert all(name.split(", ")[0] in adata.var_names for name in named.loc[named["population"] >= 0, "name"])
    assert named[[name for name in named if name.startswith("cells_")]].to_numpy().sum() == adata.n_obs
    pca = rows[(rows["embedding"] == "X_pca") & (rows["population"] >= 0)]
    assert pca["batch_left"].mean() > 80
    assert not pca["structure_lost"].any()
    over = sp.tl.populations(adata, "X_over")
    assert over["structure_lost"].sum() >= 2
    told = adata.uns["scpareto"]["judge"]["populations_sentence"]
    assert "lost structure" in told
    assert "X_over: " in told
    with pytest.raises(KeyError, match="X_umap.* was not judged"):
        sp.tl.populations(adata, "X_umap")


def test_the_record_survives_a_file(judged, tmp_path):
    adata = judged[0]
    adata.write_h5ad(tmp_path / "judged.h5ad")
    read = anndata.read_h5ad(tmp_path / "judged.h5ad")
    for reader in (sp.tl.populations, sp.tl.control_genes):
        pd.testing.assert_frame_equal(reader(read), reader(adata), check_dtype=False)
    assert read.uns["scpareto"]["judge"]["table"]["alarm_by"].tolist()[0] == ""


def test_a_condition_that_is_the_batch_is_said_before_all_else(cells):
    adata = cells.copy()
    table = sp.tl.judge(adata, "X_corrected", batch_key="batch", protect_key="site", n_bootstrap=10)
    record = adata.uns["scpareto"]["judge"]
    assert record["sentence"].startswith("site and batch are the same partition of the cells")
    assert table["site_kept"].isna().all()
    assert any("these data cannot separate the two" in note for note in record["notes"])


def test_labels_name_populations_and_losses_and_add_scib(cells):
    adata = cells.copy()
    table = sp.tl.judge(
        adata, ["X_pca", "X_over"], batch_key="batch", labels_key="annotated", n_bootstrap=10, key_added="labelled"
    )
    assert table[["scib_bio", "scib_batch", "scib_total"]].notna().all(axis=None)
    assert table["scib_batch"]["X_over"] > table["scib_batch"]["X_pca"]
    rows = sp.tl.populations(adata, key="labelled").query("population >= 0")
    kinds = set(adata.obs["cell_type"].astype(str))
    assert set(rows["label"]) <= kinds
    assert all(any(name.startswith(kind) for kind in kinds) for name in rows["name"])
    assert rows["label_share"].median() > 0.8
    lost = sp.tl.lost(adata, all_contrasts=True, key="labelled")
    assert lost["label_first"].str.match(r".+ \(\d+ %\)").all()
    assert set(lost["label_first"].str.replace(r" \(\d+ %\)", "", regex=True)) <= kinds
    missing = int(adata.obs["annotated"].isna().sum())
    assert any(f"{missing} have no label" in note for note in adata.uns["scpareto"]["labelled"]["notes"])


def test_asking_more_changes_no_number(cells, judged):
    alone = sp.tl.judge(cells.copy(), "X_corrected", batch_key="batch", n_bootstrap=50)
    columns = ["batch_left", "structure_kept", "graph_mixing"]
    pd.testing.assert_frame_equal(alone[columns], judged[1].loc[["X_corrected"], columns])


def few(adata):
    adata.obs["few"] = np.where(np.arange(adata.n_obs) < 7, "rare", "common")
    return adata


def same(adata):
    return adata


def gone(adata):
    adata.obs["gone"] = np.nan
    return adata


BAD = [
    (same, {"labels_key": "type"}, KeyError, "labels_key='type' is not in adata.obs; it holds"),
    (same, {"labels_key": "batch"}, ValueError, "is the batch: name a column with cell types"),
    (gone, {"labels_key": "gone"}, ValueError, r"has 0 kind\(s\) of cells"),
    (same, {"protect_key": "batch"}, ValueError, "the same differences cannot be removed and kept"),
    (same, {"protect_key": "disease"}, KeyError, "protect_key='disease' is not in adata.obs"),
    (few, {"protect_key": "few"}, ValueError, r"rare \(7\) have fewer than 20 cells"),
    (gone, {"protect_key": "gone"}, ValueError, "missing for 600 cells"),
    (same, {"control_genes": ["GENE_7"]}, KeyError, "'GENE_7' is not in adata.var_names; near names are 'gene_"),
]


@pytest.mark.parametrize(("prepare", "options", "error", "told"), BAD)
def test_what_cannot_be_asked_is_refused_before_work(cells, prepare, options, error, told):
    with pytest.raises(error, match=told):
        sp.tl.judge(prepare(cells.copy()), "X_pca", batch_key="batch", **options)


def test_tables_ask_for_a_judgement(cells):
    with pytest.raises(KeyError, match=r"control_genes=\[...\]\) first"):
        sp.tl.control_genes(cells)
