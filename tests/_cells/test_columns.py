"""Columns that are registered: how they are named, and values that can be trained on and saved."""

from __future__ import annotations

import datetime
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scpareto._cells import check_categories, check_column, check_numbers, parse_key, parse_keys

CELLS = pd.Index([f"cell_{i}" for i in range(60)])
TWO = np.arange(60) % 2


def column(values):
    return pd.Series(values, index=CELLS)


@given(st.floats() | st.integers(-(10**18), 10**18), st.integers(0, 59), st.booleans())
def test_a_number_is_taken_or_named_with_its_cell(value, place, size_factor):
    numbers = np.linspace(0.5, 2, 60)
    numbers[place] = value
    good = math.isfinite(value) and abs(value) <= 1e15
    if size_factor:
        median = np.median(np.abs(numbers))
        good = good and value > 0 and median / 1e6 <= value <= median * 1e6
    if good:
        check_numbers(column(numbers), "own", size_factor=size_factor)
        return
    with pytest.raises(ValueError, match=rf"adata.obs\['own'\] holds 1 values that .* in cell 'cell_{place}'"):
        check_numbers(column(numbers), "own", size_factor=size_factor)


@pytest.mark.parametrize(
    "values",
    [
        np.where(TWO, "low", "high"),
        TWO.astype(str),
        TWO.astype(object),
        pd.date_range("2024-01-01", periods=60),
        pd.to_timedelta(TWO, unit="h"),
        pd.Categorical(TWO),
        TWO + 1j,
    ],
    ids=["words", "numbers as text", "objects", "dates", "time differences", "categories", "complex"],
)
def test_what_is_no_number_is_refused_with_the_conversion(values):
    with pytest.raises(ValueError, match=r"adata.obs\['own'\] holds .*, not numbers; .*'cell_0'.*pd.to_numeric"):
        check_numbers(column(values), "own")


@pytest.mark.parametrize("dtype", ["int8", "uint64", "float16", "float64", "bool", "Int64", "Float64", "boolean"])
def test_numbers_of_every_type_are_taken(dtype):
    check_numbers(column(TWO).astype(dtype), "own")


def test_numbers_in_a_foreign_byte_order_are_refused():
    with pytest.raises(ValueError, match=r"byte order .*\.astype\(float\)"):
        check_numbers(column(TWO.astype(">f8")), "own")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (pd.to_datetime(np.where(TWO, "2024-01-01", "2024-02-01")), "Timestamp, such as 2024-02-01 .* 'cell_0'"),
        (
            pd.Categorical(pd.to_datetime(np.where(TWO, "2024-01-01", "2024-02-01"))),
            "Timestamp.*2024-01-01 .* 'cell_1'",
        ),
        ([datetime.date(2024, 1, 1 + k) for k in TWO], "date, such as 2024-01-01"),
        (pd.to_timedelta(TWO, unit="h"), "Timedelta"),
        (pd.PeriodIndex(np.where(TWO, "2024-01", "2024-02"), freq="M"), "Period, such as 2024-02"),
        (pd.cut(np.arange(60), 2), r"Interval, such as \(-0.059, 29.5\] in cell 'cell_0'"),
        ([b"b", b"a"] * 30, "bytes"),
        ([("a", 1), ("b", 2)] * 30, "tuple"),
    ],
    ids=["dates", "categories of dates", "date objects", "time differences", "periods", "intervals", "bytes", "pairs"],
)
def test_categories_that_cannot_be_saved_are_refused_and_the_remedy_works(values, shown):
    obs = pd.DataFrame({"own": column(values)})
    with pytest.raises(ValueError, match=f"holds values of type {shown}") as error:
        check_categories(obs["own"], "own")
    remedy = re.search(r"Write them as text: (.*)\.$", str(error.value)).group(1).replace("adata.obs", "obs")
    exec(remedy, {"obs": obs})  # the remedy as printed
    check_categories(obs["own"], "own")


def test_text_among_numbers_is_refused_with_its_cell():
    mixed = TWO.astype(object)
    mixed[9] = "unknown"
    with pytest.raises(ValueError, match="mixes text and numbers, such as 0 and 'unknown' in cell 'cell_9'"):
        check_categories(column(mixed), "own")


def test_a_category_for_each_cell_is_refused_and_few_cells_are_no_reason():
    with pytest.raises(ValueError, match="60 categories for 60 cells, such as 0.0: nearly every cell"):
        check_categories(column(np.arange(60.0)), "own")
    check_categories(column(np.arange(60) // 3), "own")
    check_categories(column(np.arange(60)).iloc[:5], "own")


@pytest.mark.parametrize(
    "values",
    [
        TWO,
        TWO.astype(bool),
        TWO + 0.5,
        np.where(TWO, "", "b"),
        pd.array(TWO, dtype="Int64"),
        pd.array(np.where(TWO, "a", "b"), dtype="string"),
        pd.Categorical(TWO, categories=[1, 0, 7], ordered=True),
    ],
)
def test_names_of_every_plain_type_are_taken(values):
    check_categories(column(values), "own")


def test_a_column_that_is_there_twice_is_refused():
    obs = pd.DataFrame(np.zeros((60, 2)), index=CELLS, columns=["own", "own"])
    with pytest.raises(ValueError, match="batch_key='own': adata.obs has 2 columns of this name"):
        check_column(obs, "own", "batch_key")


@given(st.lists(st.text(), max_size=5))
def test_names_come_as_a_list_whatever_holds_them(names):
    once = list(dict.fromkeys(names)) or None
    for hold in (list, tuple, pd.Index, lambda x: np.array(x, dtype=object), lambda x: (name for name in x)):
        assert parse_keys(hold(names), "keys") == once


def test_one_name_is_a_list_of_one_and_the_other_way_round():
    assert parse_keys("batch", "keys") == ["batch"]
    assert parse_keys(None, "keys") is parse_key(None, "key") is None
    assert parse_key("batch", "key") == parse_key(["batch"], "key") == parse_key(("batch", "batch"), "key") == "batch"


@pytest.mark.parametrize("given", [{"a", "b"}, {"a": 1}, 5, ["a", None], ["a", 1], [["a"]]])
def test_names_without_order_and_what_is_no_name_are_refused(given):
    with pytest.raises(TypeError, match="nuisance_keys="):
        parse_keys(given, "nuisance_keys")


@pytest.mark.parametrize("given", [["a", "b"], [], 0, {"a"}])
def test_several_columns_for_one_are_refused(given):
    with pytest.raises(TypeError, match="batch_key="):
        parse_key(given, "batch_key")
