"""Tensors and plain types: what becomes of everything else."""

from __future__ import annotations

import io
from collections import OrderedDict, namedtuple
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
import torch

from scpareto.pareto import to_plain

Pair = namedtuple("Pair", "a b")


def reopened(value):
    buffer = io.BytesIO()
    torch.save(to_plain(value, "it"), buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ([1, (2, [3.5, None])], [1, (2, [3.5, None])]),
        (Pair(1, "x"), (1, "x")),
        ({4}, [4]),
        (OrderedDict(a=np.float64(0.1)), {"a": 0.1}),
        (MappingProxyType({np.int64(1): True}), {1: True}),
        (np.array(["a", "b"]), ["a", "b"]),
        (pd.Index(["a", "b"]), ["a", "b"]),
        (np.str_("a"), "a"),
        (torch.device("cpu"), "cpu"),
        (torch.float32, "torch.float32"),
    ],
)
def test_what_is_read_is_what_was_written_in_plain_types(value, plain):
    found = reopened(value)
    assert found == plain
    assert type(found) is type(plain)


@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.arange(5)[::-1], np.array(2.5, dtype=np.float32)])
def test_numbers_keep_every_bit_and_their_type(array):
    found = reopened(array)
    np.testing.assert_array_equal(found.numpy(), array)
    assert found.numpy().dtype == array.dtype


def test_a_frame_becomes_its_columns():
    found = reopened(pd.DataFrame({"loss": [1.0, 2.0], 3: ["x", "y"]}))
    assert list(found) == ["__dataframe__"]
    assert found["__dataframe__"]["loss"].tolist() == [1.0, 2.0]
    assert found["__dataframe__"]["3"] == ["x", "y"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, object()]}, r"it\['a'\]\[1\] must hold plain values or tensors, got object"),
        ({(1, 2): 3}, r"Keys of it must be plain values, got \(1, 2\)"),
        ([type("Name", (str,), {})("x")], r"it\[0\] must hold plain values"),
    ],
)
def test_what_has_no_plain_form_is_named(value, message):
    with pytest.raises(TypeError, match=message):
        to_plain(value, "it")
