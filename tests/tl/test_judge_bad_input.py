"""What is wrong with data or options is said before any work, or handled."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scpareto as sp

OPTIONS = {"batch_key": "batch", "n_bootstrap": 10}


@pytest.fixture(scope="module")
def expected(small):
    return sp.tl.judge(small.copy(), "X_both", **OPTIONS)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"seed": -1}, ValueError, "seed=-1 must be at least 0"),
        ({"seed": True}, TypeError, "seed=True must be a whole number"),
        ({"seed": 1.5}, TypeError, "seed=1.5 must be a whole number"),
        ({"n_bootstrap": 1}, ValueError, "n_bootstrap=1 must be at least 2"),
        ({"n_bootstrap": "many"}, TypeError, "n_bootstrap='many' must be a whole number"),
        ({"max_cells": 10}, ValueError, "max_cells=10 must be at least 100"),
        ({"max_cells": None}, TypeError, "max_cells=None must be a whole number"),
        ({"key_added": ""}, ValueError, "key_added='' cannot be written"),
        ({"key_added": "a/b"}, ValueError, "key_added='a/b' cannot be written to a file: give a name without '/'"),
        ({"key_added": 3}, TypeError, "key_added=3 must be text"),
        ({"groups_key": "a/b"}, ValueError, "groups_key='a/b' cannot be written"),
        ({"groups_key": "batch"}, ValueError, "groups_key='batch' is a column that is read"),
        ({"held_out": "batch"}, ValueError, "is no mask"),
        ({"used_genes": np.arange(80) < 2}, ValueError, "2 of 80 genes are marked as used"),
        ({"sample_key": "donor"}, KeyError, "sample_key='donor' is not in adata.obs"),
    ],
)
def test_options_without_sense_are_refused(small, options, error, told):
    adata = small.copy()
    with pytest.raises(error, match=told):
        sp.tl.judge(adata, "X_both", **(OPTIONS | options))
    assert "scpareto" not in adata.uns


@pytest.mark.parametrize("shape", [(0, 80), (400, 0)])
def test_empty_data_are_refused(small, shape):
    adata = small[: shape[0], : shape[1]].copy()
    with pytest.raises(ValueError, match=f"adata has {shape[0]} cells and {shape[1]} genes: there is nothing"):
        sp.tl.judge(adata, "X_both", **OPTIONS)


def test_values_that_are_not_finite_are_refused(small):
    adata = small.copy()
    adata.X = adata.X.astype(np.float32)
    adata.X.data[3] = np.nan
    with pytest.raises(ValueError, match="holds values that are not finite"):
        sp.tl.judge(adata, "X_both", **OPTIONS)


def test_unknown_variable_genes_are_not_taken_for_used_ones(small):
    adata = small.copy()
    noted = np.ones(adata.n_vars, dtype=object)
    noted[:] = True
    noted[:5] = np.nan
    adata.var["highly_variable"] = noted
    with pytest.raises(ValueError, match="is missing for 5 genes: fill it, or name the genes"):
        sp.tl.judge(adata, "X_both", **OPTIONS)


def as_numbers(adata):
    adata.obs["batch"] = adata.obs["batch"].cat.codes.astype(int)


def as_booleans(adata):
    adata.obs["batch"] = adata.obs["batch"].cat.codes.astype(bool)


def with_unused_levels(adata):
    adata.obs["batch"] = adata.obs["batch"].cat.add_categories(["other", "none"])


def with_equal_names(adata):
    adata.obs_names = ["cell"] * adata.n_obs


def as_integers(adata):
    adata.X = adata.X.astype(np.int64)


def by_genes(adata):
    adata.X = sparse.csc_matrix(adata.X)


def as_array(adata):
    adata.X = sparse.csr_array(adata.X)


def codes_in_a_frame(adata):
    adata.obsm["X_both"] = pd.DataFrame(adata.obsm["X_both"], index=adata.obs_names).add_prefix("z")


FORMS = [
    as_numbers,
    as_booleans,
    with_unused_levels,
    with_equal_names,
    as_integers,
    by_genes,
    as_array,
    codes_in_a_frame,
]


@pytest.mark.parametrize("prepare", FORMS)
def test_the_same_cells_in_another_form_have_the_same_numbers(small, expected, prepare):
    adata = small.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=UserWarning)
        prepare(adata)
        table = sp.tl.judge(adata, "X_both", **OPTIONS)
    columns = ["batch_left", "structure_kept", "graph_mixing", "information"]
    np.testing.assert_allclose(table[columns], expected[columns], rtol=1e-4)


def test_counts_elsewhere_are_named_and_missing_ones_do_no_harm(small):
    adata = small.copy()
    adata.raw = adata
    adata.layers["broken"] = np.full(adata.shape, np.nan)
    adata.X = np.log1p(adata.X)
    with pytest.warns(UserWarning, match=r"Counts are in adata.raw \(adata.raw.to_adata\(\)"):
        table = sp.tl.judge(adata, "X_both", groups_key="group", **OPTIONS)
    assert table["batch_left"].notna().all()
    assert "group" not in adata.obs


def test_a_cell_without_counts_does_no_harm(small):
    adata = small.copy()
    counts = adata.X.tolil()
    counts[:3] = 0
    adata.X = counts.tocsr()
    table = sp.tl.judge(adata, "X_both", **OPTIONS)
    assert table[["batch_left", "structure_kept"]].notna().all(axis=None)


def test_codes_of_other_cells_are_asked_about(small):
    adata = small.copy()
    order = np.random.default_rng(0).permutation(adata.n_obs)
    adata.obsm["X_shuffled"] = adata.obsm["X_types"][order]
    sp.tl.judge(adata, ["X_types", "X_shuffled"], **OPTIONS)
    said = adata.uns["scpareto"]["judge"]["sentence"]
    assert said.endswith("X_shuffled keeps no structure: are these codes of these cells, in this order?")


def test_samples_in_several_batches_are_told(small):
    adata = small.copy()
    batch, number = adata.obs["batch"].astype(str), np.arange(adata.n_obs) % 3
    adata.obs["donor"] = batch + "_" + number.astype(str)
    said = []
    for _ in range(2):
        sp.tl.judge(adata, "X_both", sample_key="donor", **OPTIONS)
        said.append([note for note in adata.uns["scpareto"]["judge"]["notes"] if "several batches" in note])
        adata.obs["donor"] = adata.obs["donor"].where(number > 0, "d1")
    assert said[0] == []
    assert len(said[1]) == 1
    assert said[1][0].startswith("Samples d1 lie in several batches")


def test_batches_without_a_common_population_are_refused(small):
    adata = small[small.obs["cell_type"] != "type_2"].copy()
    adata.obs["apart"] = adata.obs["cell_type"].astype(str)
    with pytest.raises(ValueError, match="No population is shared"):
        sp.tl.judge(adata, "X_both", **OPTIONS | {"batch_key": "apart"})


def test_many_batches_that_are_too_small_are_counted(small):
    adata = small.copy()
    adata.obs["tiny"] = np.arange(adata.n_obs) // 10
    with pytest.raises(ValueError, match=r"and 35 more have fewer than 20 cells"):
        sp.tl.judge(adata, "X_both", batch_key="tiny")


def test_a_part_of_an_anndata_gets_a_record_of_its_own(small):
    adata = small.copy()
    adata.uns["scpareto"] = {"other": {"kept": 1}}
    part = adata[np.arange(400) % 4 > 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sp.tl.judge(part, "X_both", **OPTIONS)
    assert set(part.uns["scpareto"]) == {"other", "judge"}
    assert set(adata.uns["scpareto"]) == {"other"}


def test_groups_of_the_alarm_become_a_column(small):
    adata = small.copy()
    sp.tl.judge(adata, "X_random", groups_key="group", **OPTIONS)
    rows = sp.tl.lost(adata, all_contrasts=True)
    groups = adata.obs["group"]
    assert isinstance(groups.dtype, pd.CategoricalDtype)
    sizes = groups.value_counts()
    # First sides of one group; others are sets of groups.
    pairs = rows[rows["contrast"].str.contains(r": group \d+ \|")]
    assert len(pairs) > 0
    for contrast, batch, n_first in pairs[["contrast", "batch", "n_first"]].itertuples(index=False):
        name = contrast.split(" | ")[0]
        assert sizes[name] == n_first
        assert set(adata.obs["batch"].astype(str)[groups == name]) == {batch}
