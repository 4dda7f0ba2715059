"""Cells that no training has seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scpareto as sp

OPTIONS = {"batch_key": "batch", "n_bootstrap": 20}


@pytest.fixture(scope="module")
def cells(small):
    """Codes that have lost the batch in the cells that they were trained on, not in the others."""
    adata = small.copy()
    adata.obs["test"] = np.arange(adata.n_obs) % 5 < 2
    codes = adata.obsm["X_types"].copy()
    codes[adata.obs["test"]] += 0.5 * adata.obs["batch"].cat.codes.to_numpy()[adata.obs["test"], None]
    adata.obsm["X_overfit"] = codes
    return adata


@pytest.fixture(scope="module")
def judged(cells):
    adata = cells.copy()
    return adata, sp.tl.judge(adata, ["X_types", "X_overfit"], held_out="test", **OPTIONS)


def test_held_out_cells_have_columns_of_their_own(cells, judged):
    table = judged[1]
    names = [f"{n}_held_out{end}" for n in ("batch_left", "structure_kept") for end in ("", "_low", "_high")]
    assert table[names].notna().all(axis=None)
    assert (table["batch_left_held_out_low"] <= table["batch_left_held_out_high"]).all()
    assert table["batch_left_held_out"]["X_overfit"] > table["batch_left"]["X_overfit"] + 5
    plain = sp.tl.judge(cells.copy(), ["X_types", "X_overfit"], **OPTIONS)
    shared = [name for name in plain if name not in ("recommended",)]
    pd.testing.assert_frame_equal(table[shared], plain[shared])


def test_the_sentence_says_of_which_cells_numbers_are(cells, judged):
    record = judged[0].uns["scpareto"]["judge"]
    assert "In held-out cells: X_types" in record["sentence"]
    assert record["arguments"]["n_cells_held_out"] == cells.obs["test"].sum()
    adata = cells.copy()
    sp.tl.judge(adata, "X_types", **OPTIONS)
    assert "All numbers are of cells that the embeddings were made of" in adata.uns["scpareto"]["judge"]["sentence"]


def test_a_mask_and_its_column_are_the_same_and_so_are_all_cells(cells, judged):
    mask = cells.obs["test"].to_numpy()
    pd.testing.assert_frame_equal(
        sp.tl.judge(cells.copy(), ["X_types", "X_overfit"], held_out=mask, **OPTIONS), judged[1]
    )
    everything = sp.tl.judge(cells.copy(), "X_types", held_out=np.ones(cells.n_obs, dtype=bool), **OPTIONS)
    assert everything["batch_left_held_out"].item() == everything["batch_left"].item()
    assert everything["structure_kept_held_out"].item() == everything["structure_kept"].item()


@pytest.mark.parametrize(
    ("held_out", "error", "told"),
    [
        ("validation", KeyError, "held_out='validation' is not in adata.obs; its columns of True and False are 'test'"),
        ("cell_type", ValueError, r"adata.obs\['cell_type'\] is no mask"),
        ([True, False], ValueError, "True or False for each of 400 cells"),
        (np.zeros(400, dtype=bool), ValueError, "marks no cell"),
        (np.arange(400) < 12, ValueError, "marks fewer than 20 cells of"),
    ],
)
def test_what_is_no_mask_is_refused(cells, held_out, error, told):
    with pytest.raises(error, match=told):
        sp.tl.judge(cells.copy(), "X_types", held_out=held_out, **OPTIONS)
