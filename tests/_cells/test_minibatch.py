"""Minibatches of data modules are checked before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scpareto._cells import MinibatchFormat

EXPECTED = MinibatchFormat(n_genes=3, n_batches=2, n_labels=2, n_categories=(2, 4), n_continuous=1)
GOOD = {
    "X": torch.ones(5, 3),
    "batch": torch.tensor([[0], [1], [0], [1], [1]]),
    "labels": torch.zeros(5, 1),
    "extra_categorical_covs": torch.tensor([[1, 3]]).repeat(5, 1),
    "extra_continuous_covs": torch.zeros(5, 1),
    "ind_x": None,
}


def test_what_the_model_reads_is_taken_and_the_rest_left():
    found = EXPECTED(GOOD)
    assert set(found) == set(GOOD) - {"ind_x"}
    assert found["X"].dtype == torch.float32


def test_a_column_may_be_flat_and_counts_sparse_or_of_numpy():
    found = EXPECTED(GOOD | {"batch": np.array([0, 1, 0, 1, 1]), "X": torch.ones(5, 3).to_sparse_csr()})
    assert found["batch"].shape == (5, 1)
    torch.testing.assert_close(found["X"], torch.ones(5, 3))


def test_labels_may_be_missing():
    assert not EXPECTED({key: value for key, value in GOOD.items() if key != "labels"})["labels"].any()


@pytest.mark.parametrize("key", ["X", "batch", "extra_categorical_covs", "extra_continuous_covs"])
def test_what_is_missing_is_named(key):
    with pytest.raises(KeyError, match=f"has no '{key}'"):
        EXPECTED(GOOD | {key: None})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"X": torch.ones(5, 4)}, r"shape \(5, 4\); \(n_cells, 3\)"),
        ({"batch": torch.zeros(4, 1)}, r"'batch' of shape \(4, 1\), not \(5, 1\)"),
        ({"batch": torch.full((5, 1), 2)}, "levels 2 to 2 in 'batch'.*0 to 1"),
        ({"extra_categorical_covs": torch.tensor([[2, 0]]).repeat(5, 1)}, "knows 0 to 1, 0 to 3"),
        ({"extra_continuous_covs": torch.zeros(5, 2)}, r"not \(5, 1\)"),
    ],
)
def test_other_shapes_and_levels_are_refused(wrong, told):
    with pytest.raises(ValueError, match=told):
        EXPECTED(GOOD | wrong)


def test_a_tuple_is_no_minibatch():
    with pytest.raises(TypeError, match="is a tuple; a dictionary with the keys 'X', 'batch'"):
        EXPECTED((torch.ones(5, 3),))
