"""Cells are known by their names: rows follow them, or it is said that cells differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scpareto._cells import Split, rows_by_name, split_by_name, stratified_split, values_by_name

NAMES = [f"cell_{i}" for i in range(30)]


def named(split, names):
    return {part: {names[row] for row in rows} for part, rows in split.items()}


@given(st.permutations(NAMES), st.integers(0, 99))
def test_a_split_follows_the_names_into_any_order(shuffled, seed):
    split = stratified_split(np.repeat(["a", "b"], 15), seed=seed)
    found = split_by_name(split, NAMES, shuffled)
    assert named(found, shuffled) == named(split, NAMES)
    assert all((np.diff(rows) > 0).all() for _, rows in found.items()), "sorted, as every split is"


@given(st.lists(st.sampled_from(NAMES), unique=True, max_size=30), st.permutations(NAMES))
def test_rows_point_at_their_names(wanted, names):
    rows = rows_by_name(wanted, names, of="some", within="all", some=True)
    assert [names[row] for row in (range(len(names)) if rows is None else rows)] == list(wanted)


def test_equal_names_need_no_rows_even_where_they_are_not_unique():
    assert rows_by_name(["x", "x"], ["x", "x"], of="one", within="two") is None
    with pytest.raises(ValueError, match="names do not tell which cell is which: one has 'x' more than once"):
        rows_by_name(["x", "x"], ["x", "y"], of="one", within="two")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (NAMES[:10], "20 of 30 cells of The training are not in adata, the first is 'cell_10'"),
        ([*NAMES, "new"], "1 of 31 cells of adata are not in The training, the first is 'new'"),
        (["new", *NAMES[1:]], "'cell_0'; 1 of 30 cells of adata are not in The training"),
    ],
)
def test_other_cells_are_named(names, said):
    split = stratified_split(np.repeat(["a", "b"], 15))
    with pytest.raises(ValueError, match=f"Cells differ: .*{said}"):
        split_by_name(split, NAMES, names)


def test_a_split_without_names_is_one_of_rows():
    """As earlier versions saved it."""
    split = Split(np.arange(4), np.array([4]), np.array([5, 6]))
    assert split_by_name(split, None, NAMES[:7]) is split
    with pytest.raises(ValueError, match="adata has 6 cells, and the model was trained on 7 or more"):
        split_by_name(split, None, NAMES[:6])


def test_a_series_follows_the_names_and_an_array_their_order():
    values = pd.Series([1, 2, 3], index=["a", "b", "c"])
    names = pd.Index(["c", "a", "b"])
    assert list(values_by_name(values, names, "values")) == [3, 1, 2]
    assert list(values_by_name(values.to_numpy(), names, "values")) == [1, 2, 3]
    assert list(values_by_name(values.reset_index(drop=True), names, "values")) == [1, 2, 3]
    with pytest.raises(ValueError, match="Cells differ"):
        values_by_name(values.rename({"a": "z"}), names, "values")
