from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_score

from scpareto.metrics import silhouette


def _types(n: int, distance: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(n) % 4
    return np.random.default_rng(seed).standard_normal((n, 4)) + distance * np.eye(4)[labels], labels


def test_hand_computed_value():
    # a: 1, 1 and 2, 2. b: mean distances 8, 7 to the second pair; 6.5, 8.5 to the first.
    value = silhouette([[0.0], [1.0], [7.0], [9.0]], ["B", "B", "T", "T"])
    assert value == pytest.approx(np.mean([7 / 8, 6 / 7, 4.5 / 6.5, 6.5 / 8.5]))


def test_label_of_one_cell_contributes_zero():
    # Cells of the pair: a = 1, b = 5 and 4.
    assert silhouette([[0.0], [1.0], [5.0]], ["B", "B", "T"]) == pytest.approx((4 / 5 + 3 / 4 + 0) / 3)


@pytest.mark.parametrize("distance", [0.0, 1.0, 5.0])
def test_equals_sklearn(distance):
    codes, labels = _types(400, distance)
    assert silhouette(codes, labels) == pytest.approx(silhouette_score(codes, labels), abs=1e-9)


def test_equals_scib_metrics_before_it_rescales():
    scib_metrics = pytest.importorskip("scib_metrics", reason="scib-metrics is not installed")
    codes, labels = _types(400, 1.5)
    expected = scib_metrics.silhouette_label(codes, labels, rescale=False)
    assert silhouette(codes, labels) == pytest.approx(float(expected), abs=1e-5)  # single precision there


@given(seed=st.integers(0, 1000), n=st.integers(3, 60), n_labels=st.integers(2, 5), scale=st.floats(1e-6, 1e6))
@settings(max_examples=40)
def test_bounds_and_invariances(seed, n, n_labels, scale):
    rng = np.random.default_rng(seed)
    codes, labels = rng.standard_normal((n, 3)), np.arange(n) % min(n_labels, n - 1)
    value = silhouette(codes, labels)
    assert -1 <= value <= 1
    order, turn = rng.permutation(n), np.linalg.qr(rng.standard_normal((3, 3)))[0]
    names = np.array(["v", "w", "x", "y", "z"])[labels]
    assert silhouette((scale * (codes @ turn + 2))[order], names[order]) == pytest.approx(value, abs=1e-9)


def test_grows_with_the_distance_and_falls_below_zero():
    values = [silhouette(*_types(400, distance)) for distance in (0, 1, 3, 10, 100)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(0.0, abs=0.05)
    assert values[-1] > 0.95
    # Every cell is 10 from its own label and 1 and 11, or 1 and 9, from the other.
    assert silhouette([[0.0], [1.0], [10.0], [11.0]], ["B", "T", "B", "T"]) == pytest.approx(-0.45)


@pytest.mark.parametrize("missing", [np.nan, None])
def test_unannotated_cells_are_left_out(missing):
    codes, labels = _types(200, 3.0)
    names = np.array(list("BTNM"), dtype=object)[labels]
    expected = silhouette(codes[50:], names[50:])
    names[:50] = missing
    assert silhouette(codes, names) == silhouette(codes, names.tolist()) == expected
    assert silhouette(codes, names.astype(str)) < expected - 0.1


def test_constant_codes_and_duplicates_give_zero():
    labels = np.arange(60) % 2
    assert silhouette(np.full((60, 3), 0.1), labels) == 0.0
    # Both labels in each of two places: zeros among the distances must not turn into rounding errors.
    pairs = np.append(np.full((20, 3), 0.1), np.full((2, 3), 1e5), axis=0)
    assert silhouette(pairs, np.append(np.arange(20) % 2, [2, 2])) == pytest.approx(2 / 22)


def test_subset_of_many_cells():
    codes, labels = _types(4000, 2.0)
    whole = silhouette(codes, labels)
    values = [silhouette(codes, labels, max_cells=1500, seed=s) for s in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    assert values == pytest.approx([whole] * 3, abs=0.02)


@pytest.mark.parametrize(
    ("codes", "labels", "options", "message"),
    [
        ([[np.nan], [1.0]], [0, 1], {}, "`codes` is NaN or infinite in 1 of 2"),
        ([[0.0], [1.0]], [0, 1, 1], {}, "`labels` has shape"),
        ([[0.0], [1.0]], [0, 0], {}, "1 distinct"),
        ([[0.0], [1.0], [2.0]], ["a", "a", np.nan], {}, "1 distinct"),
        ([[0.0], [1.0]], [0, 1], {}, "no label of `labels` has two cells"),
        ([[0.0], [1.0]], [0, 1], {"max_cells": 2}, "`max_cells` is 2"),
        (np.zeros((500, 1)), ["a"] * 499 + ["b"], {"max_cells": 3}, "`max_cells` is 3; the cells drawn are all 'a'"),
    ],
)
def test_refuses(codes, labels, options, message):
    with pytest.raises(ValueError, match=message):
        silhouette(codes, labels, **options)
