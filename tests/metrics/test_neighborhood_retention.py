from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scpareto.metrics import neighborhood_retention


def _cells(seed: int, n: int, d: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


@given(seed=st.integers(0, 1000), n=st.integers(3, 80), n_batches=st.integers(1, 3), k=st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_bounds_identity_and_invariances(seed, n, n_batches, k):
    expression, codes = _cells(seed, n, 6), _cells(seed + 1, n)
    batch = np.arange(n) * n_batches // n
    value = neighborhood_retention(expression, codes, batch, n_neighbors=k) if n >= 3 * n_batches else 0.5
    assert 0 <= value <= 1
    if n >= 3 * n_batches:
        rng = np.random.default_rng(seed)
        assert neighborhood_retention(codes, codes, batch, n_neighbors=k) == 1.0
        turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
        order = rng.permutation(n)
        moved = neighborhood_retention(expression[order], (2 * codes @ turn + 3)[order], batch[order], n_neighbors=k)
        assert moved == pytest.approx(value, abs=0.02)


def test_hand_computed_value():
    # Nearest cells on the line: 1, 0, 1, 2, 3; in the codes the last two changed places with the first two.
    expression = np.array([[0.0], [1.0], [3.0], [6.0], [10.0]])
    codes = np.array([[0.0], [10.0], [9.0], [6.0], [1.0]])
    # k = 1 gives neighbours 4, 2, 1, 2, 0 there: cells 2 and 3 keep theirs.
    assert neighborhood_retention(expression, codes, ["a"] * 5, n_neighbors=1) == pytest.approx(2 / 5)


def test_unrelated_codes_reach_chance():
    value = neighborhood_retention(_cells(0, 1500), _cells(1, 1500), np.zeros(1500), n_neighbors=30)
    assert value == pytest.approx(30 / 1499, abs=0.003)


def test_only_neighbors_of_the_same_batch_count():
    codes = _cells(0, 200)
    batch = np.repeat(["a", "b"], 100)
    moved = codes + 1000.0 * (batch == "b")[:, None]
    assert neighborhood_retention(codes, moved, batch) == 1.0
    assert neighborhood_retention(codes, moved, np.zeros(200)) < 0.9


def test_noise_lowers_it_step_by_step():
    codes = _cells(0, 500)
    values = [neighborhood_retention(codes, codes + s * _cells(1, 500), np.zeros(500)) for s in (0.05, 0.3, 1, 5)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.8
    assert values[-1] < 0.2


def test_small_batches_are_not_trivially_perfect_and_tiny_ones_are_skipped():
    rng = np.random.default_rng(0)
    expression, codes = rng.standard_normal((2, 400, 5))
    batch = np.repeat(np.arange(40), 10)
    value = neighborhood_retention(expression, codes, batch)
    assert value == pytest.approx(4 / 9, abs=0.05)  # k = 4 of 9 others
    with_pair = np.append(expression, rng.standard_normal((2, 5)), 0), np.append(codes, rng.standard_normal((2, 5)), 0)
    assert neighborhood_retention(*with_pair, np.append(batch, [99, 99])) == pytest.approx(value)


def test_subset_of_many_cells_is_scored_against_all():
    expression = _cells(0, 3000)
    codes, batch = expression + 0.3 * _cells(1, 3000), np.arange(3000) % 2
    whole = neighborhood_retention(expression, codes, batch)
    subsets = [neighborhood_retention(expression, codes, batch, max_cells=1000, seed=s) for s in (0, 0, 1)]
    assert subsets[0] == subsets[1] != subsets[2]
    # Were neighbours sought inside the subset, the overlap would be that of a third of the cells, far higher.
    assert subsets == pytest.approx([whole] * 3, abs=0.01)
    assert neighborhood_retention(expression[::3], codes[::3], batch[::3]) > whole + 0.03


@pytest.mark.parametrize(
    ("expression", "codes", "batch", "options", "message"),
    [
        (np.ones((4, 2)), np.ones((5, 2)), [0] * 5, {}, "4 rows but `codes` has 5"),
        (np.full((4, 2), np.inf), np.ones((4, 2)), [0] * 4, {}, "`expression` is NaN or infinite"),
        (np.ones((4, 2)), np.full((4, 2), np.nan), [0] * 4, {}, "`codes` is NaN or infinite"),
        (np.ones((4, 2)), np.ones((4, 2)), [0] * 3, {}, "`batch` has shape"),
        (np.ones((4, 2)), np.ones((4, 2)), [0, 0, 0, None], {}, "missing"),
        (np.ones((4, 2)), np.ones((4, 2)), [0, 0, 1, 1], {}, "fewer than 3 cells"),
        (np.ones((4, 2)), np.ones((4, 2)), [0] * 4, {"n_neighbors": 1.5}, "`n_neighbors` is 1.5"),
        (np.ones((4, 2)), np.ones((4, 2)), [0] * 4, {"max_cells": 0}, "`max_cells` is 0"),
    ],
)
def test_refuses(expression, codes, batch, options, message):
    with pytest.raises(ValueError, match=message):
        neighborhood_retention(expression, codes, batch, **options)
