"""Several modalities of the same cells."""

from __future__ import annotations

import warnings

import mudata
import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import kneighbors_graph

import scpareto as sp

OPTIONS = {"batch_key": "rna:batch", "n_bootstrap": 10}


@pytest.fixture(scope="module")
def mdata(small):
    """Genes, proteins with codes of their own, and joint codes."""
    rna = small.copy()
    rna.layers["counts"] = rna.X.copy()
    protein = small[:, :20].copy()
    del protein.obs, protein.obsm
    protein.obsm["X_pca"] = small.obsm["X_both"].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = mudata.MuData({"rna": rna, "prot": protein})
    both.obsm["X_joint"] = small.obsm["X_types"].copy()
    return both


@pytest.fixture(scope="module")
def expected(small):
    return sp.tl.judge(small.copy(), ["X_random", "X_both", "X_types"], batch_key="batch", n_bootstrap=10)


def test_keys_of_modalities_give_what_an_anndata_gives(mdata, expected):
    table = sp.tl.judge(mdata, ["rna:X_random", "prot:X_pca", "X_joint"], groups_key="group", **OPTIONS)
    assert table.index.tolist() == ["rna:X_random", "prot:X_pca", "X_joint"]
    np.testing.assert_allclose(table["batch_left"], expected["batch_left"])
    np.testing.assert_allclose(table["structure_kept"], expected["structure_kept"])
    record = mdata.uns["scpareto"]["judge"]
    assert record["arguments"]["batch_key"] == "rna:batch"
    assert "scpareto" not in mdata["rna"].uns
    assert mdata.obs["group"].notna().any()
    assert sp.pl.judge(mdata).get_title(loc="left")
    assert sp.tl.lost(mdata, "rna:X_random")["rings"].all()


def test_cells_in_another_order_are_found_by_their_names(mdata, small):
    order = np.random.default_rng(0).permutation(small.n_obs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = mudata.MuData({"rna": mdata["rna"].copy(), "prot": mdata["prot"][order].copy()})
    columns = ["batch_left", "structure_kept", "graph_mixing"]
    left = sp.tl.judge(other, ["rna:X_types", "prot:X_pca"], **OPTIONS)[columns]
    pd.testing.assert_frame_equal(left, sp.tl.judge(mdata, ["rna:X_types", "prot:X_pca"], **OPTIONS)[columns])


def test_batches_may_be_in_the_modality_of_the_counts_or_in_the_whole(mdata):
    own = sp.tl.judge(mdata, "rna:X_both", batch_key="batch", n_bootstrap=10)
    whole = mdata.copy()
    whole.obs["study"] = whole["rna"].obs["batch"].astype(str)
    pd.testing.assert_frame_equal(own, sp.tl.judge(whole, "rna:X_both", batch_key="study", n_bootstrap=10))


def test_counts_may_be_a_layer_of_a_modality_and_graphs_too(mdata):
    other = mdata.copy()
    other["rna"].X = np.log1p(other["rna"].X)
    other["rna"].obsp["mixed"] = kneighbors_graph(other["rna"].obsm["X_types"], 15)
    table = sp.tl.judge(other, "prot:X_pca", layer="rna:counts", neighbors_key="rna:mixed", **OPTIONS)
    assert table["structure_kept"].notna().all()
    with pytest.warns(UserWarning, match=r"mdata\['rna'\].X holds no counts. Counts are in layer='rna:counts'"):
        sp.tl.judge(other, "rna:X_types", **OPTIONS)


def test_a_file_of_modalities_may_stay_on_disk(mdata, tmp_path):
    mdata.write(tmp_path / "cells.h5mu")
    backed = mudata.read_h5mu(tmp_path / "cells.h5mu", backed="r")
    columns = ["batch_left", "structure_kept", "graph_mixing"]
    found = sp.tl.judge(backed, ["rna:X_types", "prot:X_pca"], **OPTIONS)[columns]
    pd.testing.assert_frame_equal(found, sp.tl.judge(mdata, ["rna:X_types", "prot:X_pca"], **OPTIONS)[columns])


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"use_rep": "rna:X_umap"}, KeyError, r"not in mdata\['rna'\].obsm; it holds 'X_types', 'X_both', 'X_random'"),
        ({"use_rep": "X_umap"}, KeyError, r"not in mdata.obsm; it holds 'X_joint'. .* named by it: 'rna:X_umap'"),
        ({"use_rep": "X_joint"}, ValueError, "No key names the modality of the counts: give layer='rna:counts'"),
        ({"use_rep": "rna:X_types", "layer": "rna:raw"}, KeyError, r"not in mdata\['rna'\].layers; it holds 'counts'"),
        ({"use_rep": "rna:X_types", "batch_key": "donor"}, KeyError, "batch_key='donor' is not in"),
        ({"use_rep": "rna:X_types", "neighbors_key": "rna:bbknn"}, KeyError, "neighbors_key='rna:bbknn' is not in"),
    ],
)
def test_keys_that_do_not_exist_are_told_with_those_that_do(mdata, options, error, told):
    with pytest.raises(error, match=told):
        sp.tl.judge(mdata, **(OPTIONS | options))


def test_different_cells_are_refused_with_how_to_keep_those_in_both(mdata):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = mudata.MuData({"rna": mdata["rna"].copy(), "prot": mdata["prot"][:350].copy()})
    told = r"do not hold the same cells \(400 and 350, 350 of them in both\)"
    with pytest.raises(ValueError, match=told) as refused:
        sp.tl.judge(other, ["rna:X_types", "prot:X_pca"], **OPTIONS)
    way = str(refused.value).split("Keep those that both hold: mdata = ")[1].rstrip(".")
    kept = eval(way, {"mdata": other})
    assert sp.tl.judge(kept, ["rna:X_types", "prot:X_pca"], **OPTIONS)["batch_left"].notna().all()


def test_names_that_are_not_unique_are_refused(mdata):
    other = mdata["rna"].copy()
    other.obs_names = ["cell"] * other.n_obs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = mudata.MuData({"rna": other})
    with pytest.raises(ValueError, match="Cells of modality 'rna' share names"):
        sp.tl.judge(both, "rna:X_types", **OPTIONS)
