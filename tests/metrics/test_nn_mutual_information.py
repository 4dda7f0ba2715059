from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_classif

from scpareto.metrics import _nn_mutual_information, nn_mutual_information
from scpareto.metrics._label_ranks import exact_label_ranks


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_equals_sklearn_in_one_dimension(shift, k):
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 800, p=[0.6, 0.3, 0.1])
    codes = rng.standard_normal((800, 1)) + shift * labels[:, None]
    expected = mutual_info_classif(codes, labels, discrete_features=False, n_neighbors=k, random_state=0)[0]
    assert expected > 0  # not clipped, so that the comparison is tight
    assert nn_mutual_information(codes, labels, n_neighbors=k) == pytest.approx(expected, abs=1e-9)


def test_hand_computed_value():
    # k = 1. Radii .1, .1, .2, .2; strictly nearer cells, self included: 1, 1, 1, 1. The two labels never mix.
    value = nn_mutual_information([[0.0], [0.1], [5.0], [5.2]], ["a", "a", "b", "b"], n_neighbors=1)
    assert value == pytest.approx(digamma(4) + digamma(1) - digamma(2) - digamma(1))


@pytest.mark.parametrize(
    ("case", "tolerance"), [("separated", 0.05), ("overlapping", 0.05), ("partly merged", 0.05), ("independent", 0.03)]
)
def test_known_information(draw_case, case, tolerance):
    codes, labels, truth = draw_case(case, 5000)
    assert nn_mutual_information(codes, labels) == pytest.approx(truth, abs=tolerance)


@given(seed=st.integers(0, 1000), angle=st.floats(0, 6.28), shift=st.floats(-100, 100), scale=st.floats(0.01, 100))
@settings(max_examples=25, deadline=None)
def test_invariant_to_rotation_shift_scale_permutation_and_names(seed, angle, shift, scale):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=200)
    codes = rng.standard_normal((200, 2)) + labels[:, None]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    order = rng.permutation(200)
    moved = nn_mutual_information((scale * codes @ turn + shift)[order], np.array(["x", "y", "z"])[labels][order])
    # Rounding may swap two almost equidistant cells, which moves the value by about 1 / (n m).
    assert moved == pytest.approx(nn_mutual_information(codes, labels), abs=5e-3)


def test_label_of_one_cell_is_skipped(draw_case):
    codes, labels, _ = draw_case("separated", 300)
    alone = np.concatenate([codes, [[1.0, 1.0]]]), np.concatenate([labels, [99]])
    assert nn_mutual_information(*alone) == pytest.approx(nn_mutual_information(codes, labels), abs=1e-6)


def test_label_smaller_than_k_uses_the_neighbors_it_has(draw_case):
    codes, labels, _ = draw_case("separated", 300)
    pair = np.concatenate([codes, [[50.0, 50.0], [50.0, 51.0]]]), np.concatenate([labels, [99, 99]])
    value = nn_mutual_information(*pair, n_neighbors=10)
    assert np.isfinite(value)
    assert value > nn_mutual_information(codes, labels, n_neighbors=10)  # a fully separated label adds information


def test_constant_codes_carry_nothing():
    assert nn_mutual_information(np.full((100, 3), 0.1), np.arange(100) % 2) == 0.0


def test_duplicated_codes_are_finite_and_informative():
    labels = np.arange(600) % 3
    uninformative = np.random.default_rng(0).integers(2, size=(600, 1)) + 1e5
    assert nn_mutual_information(labels[:, None] + 1e5, labels) == pytest.approx(np.log(3), abs=0.01)
    assert nn_mutual_information(uninformative, labels) == pytest.approx(0.0, abs=0.1)


def test_subset_of_many_cells(draw_case):
    codes, labels, truth = draw_case("overlapping", 6000)
    values = [nn_mutual_information(codes, labels, max_cells=3000, approximate=False, seed=s) for s in (1, 1, 2)]
    assert values[0] == values[1] != values[2]
    assert values == pytest.approx([truth] * 3, abs=0.08)
    assert nn_mutual_information(codes, labels) not in values


@pytest.mark.parametrize(
    ("n_cells", "approximate", "descends"),
    [(101, None, True), (100, None, False), (50, True, True), (101, False, False)],
)
def test_which_search_is_used(monkeypatch, n_cells, approximate, descends):
    searched = []

    def ranks(codes, label, k, *, seed):
        searched.append(len(codes))
        return exact_label_ranks(codes, label, k, np.arange(len(codes)))

    monkeypatch.setattr(_nn_mutual_information, "approximate_label_ranks", ranks)
    codes = np.random.default_rng(0).standard_normal((n_cells, 2))
    nn_mutual_information(codes, np.arange(n_cells) % 2, max_cells=100, approximate=approximate)
    assert searched == ([n_cells] if descends else [])


@pytest.mark.parametrize(
    ("codes", "labels", "options", "message"),
    [
        ([[np.nan], [1.0]], [0, 1], {}, "NaN or infinite in 1 of 2"),
        ([1.0, 2.0], [0, 1], {}, "shape"),
        (np.zeros((2, 0)), [0, 1], {}, "at least one column"),
        ([[0.0], [1.0]], [0, 1, 1], {}, "2 cells"),
        ([[0.0], [1.0]], [0, 0], {}, "1 distinct"),
        ([[0.0], [1.0]], [0, np.nan], {}, "missing for 1 of 2"),
        ([[0.0], [1.0]], ["a", None], {}, "missing for 1 of 2"),
        ([[0.0], [1.0]], ["a", np.nan], {}, "missing for 1 of 2"),
        ([[0.0], [1.0]], [0, 1], {}, "no label of `labels` has two cells"),
        ([[0.0], [1.0]], [0, 1], {"n_neighbors": 0}, "`n_neighbors` is 0"),
        ([[0.0], [1.0]], [0, 1], {"max_cells": 1}, "`max_cells` is 1"),
    ],
)
def test_refuses(codes, labels, options, message):
    with pytest.raises(ValueError, match=message):
        nn_mutual_information(codes, labels, **options)


def test_text_none_is_a_label():
    codes = np.random.default_rng(0).standard_normal((40, 1))
    labels = np.array(["None", "drug"], dtype=object)[np.arange(40) % 2]
    assert np.isfinite(nn_mutual_information(codes, labels))
