"""Fronts of any integration method, of a user's function, and of embeddings made elsewhere."""

from __future__ import annotations

import warnings

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest

import scpareto as sp
from scpareto.pareto import Front

QUICK = {"batch_key": "batch", "n_bootstrap": 20, "progress": False}


@pytest.fixture(scope="module")
def swept(small):
    adata = small.copy()
    adata.obs_names = [f"cell {i}" for i in range(adata.n_obs)]
    return sp.tl.sweep(adata, "harmony", values=[4, 0, 1], labels_key="cell_type", **QUICK), adata


@pytest.fixture
def method(register_method):
    """Register a method for the length of a test: its codes are components, the batch taken out by a share."""

    @register_method("centred", knob=sp.bench.Knob("share", (0.0, 0.5, 1.0), most=1.0))
    def centred(cells, *, share=0.5, broken_at=-1.0):
        if share == broken_at:
            raise RuntimeError("no convergence")
        codes = cells.components.copy()
        for batch in cells.batches:
            rows = cells.rows(batch)
            codes[rows] -= share * codes[rows].mean(axis=0)
        return codes


def test_values_are_points_from_weak_to_strong(swept):
    front, adata = swept
    table = front.to_dataframe()
    assert isinstance(front, Front)
    assert table["value"].tolist() == [0.0, 1.0, 4.0]
    assert table["batch_left"].iloc[0] > table["batch_left"].iloc[2]
    assert table["library"].str.startswith("harmonypy ").all()
    assert not table["default"].any(), "2 is the default"
    assert {"scib_bio", "scib_total", "structure_kept_low", "alarm", "non_dominated"} <= set(table)
    assert front.recommended == front.find("auto")
    assert front.find(batch_left=float(table["batch_left"].iloc[2])) in (1, 2)
    assert "theta" in front.explain()
    assert "Front of theta by harmony (harmonypy" in repr(front)
    assert sp.pl.front(front).get_title(loc="left")
    assert len(sp.pl.front_panels(front)) == 2
    assert adata.uns["scpareto"]["harmony"]["knob"] == "theta"


def test_the_recommended_embedding_and_its_record_survive_a_file(swept, tmp_path):
    front, adata = swept
    np.testing.assert_array_equal(adata.obsm["X_harmony"], front.codes[front.recommended])
    cells = adata.copy()
    cells.write_h5ad(tmp_path / "swept.h5ad")
    written = anndata.read_h5ad(tmp_path / "swept.h5ad")
    read = written.uns["scpareto"]
    assert read["embeddings"]["X_harmony"]["value"] == front.table["value"][front.recommended]
    assert len(read["harmony"]["front"]) == 3
    assert sp.pl.front(written).get_title(loc="left") == sp.pl.front(front).get_title(loc="left")
    again = Front.from_plain(front.to_plain())
    assert again.recommended == front.recommended
    np.testing.assert_array_equal(again.codes[2], front.codes[2])


def test_numbers_are_those_of_the_one_judge(swept):
    front, adata = swept
    cells = adata.copy()
    cells.obsm["X_four"] = front.codes[2]
    row = sp.tl.judge(cells, "X_four", batch_key="batch", n_bootstrap=20).iloc[0]
    for column in ("batch_left", "structure_kept", "graph_mixing"):
        assert front.table[column][2] == pytest.approx(row[column])
    assert bool(front.table["alarm"][2]) == row["alarm"]


def test_the_explorer_takes_a_front_with_codes(swept, tmp_path):
    front, adata = swept
    placed = {number: codes[::-1, :2] for number, codes in front.codes.items()}
    page = sp.pl.explorer(adata[::-1].copy(), front, tmp_path / "page.html", color=["batch"], embeddings=placed)
    text = page.read_text()
    assert "front.codes[0]" in text
    with pytest.raises(TypeError, match="keeps no codes"):
        sp.pl.explorer(adata, Front(front.table, objectives=front.objectives), tmp_path / "page.html")


def test_a_method_that_fails_at_one_value_leaves_the_others(small, method):
    adata = small.copy()
    with pytest.warns(UserWarning, match="centred at share=0.5 failed .* RuntimeError: no convergence"):
        front = sp.tl.sweep(adata, "centred", options={"broken_at": 0.5}, **QUICK)
    assert front.to_dataframe()["value"].tolist() == [0.0, 1.0]
    runs = front.tables["runs"]
    assert runs["reason"].tolist() == ["", "RuntimeError: no convergence", ""]
    assert "failed at 0.5: RuntimeError: no convergence" in repr(front)
    assert "Failed at 0.5" in front.explain()
    assert front.find("auto") in (0, 1)


def test_all_values_failing_is_an_error(small, method):
    def broken(cells, value):
        raise RuntimeError("no memory")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="broken failed at every value of value. First: RuntimeError: no memory"):
            sp.tl.sweep(small.copy(), broken, values=[1, 2], **QUICK)


def test_a_function_gets_a_copy_of_the_cells_and_a_value(small):
    adata = small.copy()

    def pull(cells, value, *, factor):
        cells.obs["batch"] = "spoiled"
        cells.X = cells.X * 0
        codes = cells.obsm["X_types"] + factor * (1 - value) * 0.4
        # Rows of a table and of an AnnData follow the names of the cells.
        if value:
            return anndata.AnnData(codes.astype(np.float32), obs=cells.obs[[]])[::-1]
        return pd.DataFrame(codes, index=cells.obs_names)[::-1]

    front = sp.tl.sweep(adata, pull, values=[0, 1], options={"factor": 1.0}, key_added="X_own", **QUICK)
    assert adata.obs["batch"].nunique() == 2
    np.testing.assert_array_equal(adata.obsm["X_own"], front.codes[front.recommended])
    np.testing.assert_allclose(front.codes[0], adata.obsm["X_types"] + 0.4, atol=1e-6)
    np.testing.assert_allclose(front.codes[1], adata.obsm["X_types"], atol=1e-6)


def test_values_in_the_wrong_order_are_noticed(small):
    def backwards(cells, value):
        return cells.obsm["X_types"] + value * 0.6 * cells.obs["batch"].cat.codes.to_numpy()[:, None]

    with pytest.warns(UserWarning, match="1 certainly leaves more of the batch than 0"):
        sp.tl.sweep(small.copy(), backwards, values=[0, 1], **QUICK)


def permuted_in_the_first_batch(cells):
    codes = cells.obsm["X_types"].copy()
    rows = np.flatnonzero(cells.obs["batch"] == "batch_0")
    codes[rows] = codes[np.random.default_rng(0).permutation(rows)]
    return codes


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda cells: cells.obsm["X_types"][:-1], r"returned shape \(399, 3\); 400 cells need \(400, n_latent\)"),
        (lambda cells: cells.obsm["X_types"][:, 0], r"returned shape \(400,\)"),
        (lambda cells: None, "returned nothing"),
        (lambda cells: "X_types", "returned str, no matrix of numbers"),
        (
            lambda cells: np.where(np.arange(400)[:, None] == 3, np.nan, cells.obsm["X_types"]),
            "not finite, in 1 of 400",
        ),
        (lambda cells: cells.obsm["X_types"][np.argsort(cells.obs["cell_type"].astype(str))[::-1]], "do not follow"),
        (lambda cells: np.random.default_rng(0).permutation(cells.obsm["X_both"]), "do not follow the cells"),
        (permuted_in_the_first_batch, "do not follow the cells: in batch 'batch_0' neighbours"),
        (lambda cells: pd.DataFrame(cells.obsm["X_types"], index=range(400)), "whose rows are not the cells: 0 of 400"),
    ],
)
def test_what_is_no_embedding_of_the_cells_is_refused_at_the_first_value(small, returned, message):
    calls = []

    def function(cells, value):
        calls.append(value)
        return returned(cells)

    adata = small.copy()
    with pytest.raises(ValueError, match=message):
        sp.tl.sweep(adata, function, values=[1, 2, 3], **QUICK)
    assert calls == [1]
    assert "scpareto" not in adata.uns


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (("harmoni", {}), ValueError, "method='harmoni' is unknown"),
        (("pca", {}), ValueError, "no option that sets its strength. Methods with one: combat, harmony"),
        (("paretovi", {}), ValueError, "learns its whole front by itself: sp.tl.integrate"),
        (("harmony", {"values": [-1, 2]}), ValueError, "-1 is no value of theta, which takes numbers from 0 upwards"),
        (("combat", {"values": [0, 2]}), ValueError, "2 is no value of strength, which takes numbers from 0 to 1"),
        (("fastmnn", {"values": [5, 7.5]}), ValueError, "7.5 is no value of num_neighbors, which takes whole numbers"),
        (("harmony", {"values": [1, 2, 1.0]}), ValueError, r"values: 1 is given 2 times"),
        (("harmony", {"values": [1]}), ValueError, "a front needs two values or more"),
        (("harmony", {"values": "12"}), TypeError, "must be a list of values"),
        (("harmony", {"values": [1, float("nan")]}), ValueError, "nan is no value"),
        (("harmony", {"knob": "sigma"}), ValueError, "knob='sigma': give its values"),
        (("combat", {"knob": "theta", "values": [1, 2]}), ValueError, "has no option 'theta'. Its options: strength"),
        (("harmony", {"options": {"theta": 2}}), ValueError, "options name 'theta', which is turned"),
        ((len, {}), ValueError, "method=len: give its values"),
        ((len, {"values": [1, 2], "knob": "theta"}), ValueError, "knob='theta': a function gets the value itself"),
        ((3, {}), TypeError, "method=3 must be the name of a method or a function"),
        (("harmony", {"batch_key": "study"}), KeyError, "study"),
        (("harmony", {"labels_key": "kind"}), KeyError, "kind"),
        (("harmony", {"key_added": "a/b"}), ValueError, "key_added='a/b'"),
        (("harmony", {"modality": "rna"}), ValueError, "modality='rna'"),
        (("harmony", {"n_bootstrap": 0}), ValueError, "n_bootstrap=0"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_run(small, given, error, message):
    method, changes = given
    adata = small.copy()
    with pytest.raises(error, match=message):
        sp.tl.sweep(adata, method, **QUICK | changes)
    assert "scpareto" not in adata.uns


def test_another_option_is_turned_in_the_order_given(small):
    front = sp.tl.sweep(small.copy(), "harmony", knob="lamb", values=[100, 0.1], **QUICK)
    assert front.to_dataframe()["value"].tolist() == [100, 0.1]
    assert front.objectives[1] == "lamb"


def test_genes_that_methods_use_are_the_variable_ones(small):
    adata = small.copy()
    adata.var["highly_variable"] = np.arange(adata.n_vars) < 40
    depth = np.asarray(adata.X.sum(axis=1)).ravel()
    front = sp.tl.sweep(adata, "combat", values=[0, 1], **QUICK)
    normal = np.log1p(adata.X[:, :40].toarray() / depth[:, None] * 1e4)
    components = np.linalg.svd(normal - normal.mean(axis=0), full_matrices=False)
    expected = components[0][:, 0] * components[1][0]
    assert abs(np.corrcoef(front.codes[0][:, 0], expected)[0, 1]) > 0.999


def test_embeddings_made_elsewhere_are_a_front(small):
    adata = small.copy()
    front = sp.tl.front_of(
        adata, {"none": "X_both", "all": "X_types"}, batch_key="batch", n_bootstrap=20, name="Seurat", knob="anchors"
    )
    assert front.to_dataframe()[["value", "use_rep"]].to_numpy().tolist() == [["none", "X_both"], ["all", "X_types"]]
    assert front.table["batch_left"][0] > front.table["batch_left"][1]
    assert front.recommended == 1
    assert "Front of anchors by Seurat: 2 points" in repr(front)
    assert "scpareto" not in adata.uns
    with pytest.warns(UserWarning, match=r"adata.obsm\['X_random'\] returned codes that do not follow"):
        front = sp.tl.front_of(adata, {0: "X_both", 1: "X_random", 2: "X_types"}, batch_key="batch", n_bootstrap=20)
    assert front.to_dataframe()["value"].tolist() == [0, 2]
    for bad, error, message in (
        ({0: "X_both"}, ValueError, "two values or more"),
        ({0: "X_both", 1: "X_both"}, ValueError, "'X_both' for 2 values"),
        ({0: "X_both", 1: "X_absent"}, KeyError, "X_absent"),
        (["X_both"], TypeError, "must be a dict"),
    ):
        with pytest.raises(error, match=message):
            sp.tl.front_of(adata, bad, batch_key="batch")


def test_a_modality_is_swept(small):
    adata = small.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both = mudata.MuData({"rna": adata, "prot": adata[:, :20].copy()})
    with pytest.raises(ValueError, match="modality= names the modality of the counts"):
        sp.tl.sweep(both, "combat", **QUICK)
    front = sp.tl.sweep(both, "combat", modality="rna", values=[0, 1], **QUICK | {"batch_key": "rna:batch"})
    np.testing.assert_array_equal(both["rna"].obsm["X_combat"], front.codes[front.recommended])
    alone = sp.tl.sweep(small.copy(), "combat", values=[0, 1], **QUICK)
    np.testing.assert_allclose(front.table["batch_left"], alone.table["batch_left"])
    again = sp.tl.front_of(both, {0: "rna:X_combat", 1: "rna:X_types"}, batch_key="rna:batch", n_bootstrap=20)
    assert len(again) == 2
