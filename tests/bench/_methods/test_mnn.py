"""Mutual neighbours, and the correction by them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import normalize

from scpareto.bench._methods import _neighbors
from scpareto.bench._methods._mnn import mnn_correct
from scpareto.bench._methods._neighbors import find_mutual_pairs, find_neighbors


def test_mutual_pairs_by_hand():
    a_to_b = np.array([[0, 1], [1, 2], [2, 0]])
    b_to_a = np.array([[0, 1], [2, 0], [2, 1]])
    rows, columns = find_mutual_pairs(a_to_b, b_to_a)
    assert list(zip(rows, columns, strict=True)) == [(0, 0), (0, 1), (1, 2), (2, 2)]


@pytest.mark.slow  # the approximate search compiles
def test_approximate_neighbours_are_mostly_the_exact_ones(monkeypatch):
    cells = np.random.default_rng(0).normal(size=(400, 5))
    exact, distances = find_neighbors(cells, cells, 10)
    assert (exact[:, 0] == np.arange(400)).all()
    np.testing.assert_allclose(distances[:, 0], 0, atol=1e-6)
    monkeypatch.setattr(_neighbors, "MAX_EXACT_CELLS", 100)
    found = find_neighbors(cells, cells, 10)[0]
    assert np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(exact, found, strict=True)]) > 0.95


@pytest.fixture(scope="module")
def groups():
    """Return two batches of two groups of cells; the second batch lies apart by the same vector."""
    rng = np.random.default_rng(0)
    centres = np.array([[10.0, 0, 0, 1], [0, 10.0, 0, 1]])
    label = np.repeat([0, 1], 40)
    first, second = (centres[label] + 0.3 * rng.normal(size=(80, 4)) for _ in range(2))
    return first, second + np.array([0, 0, 6.0, 0]), label


def test_the_reference_stays_and_the_other_batch_comes_to_it(groups):
    first, second, label = groups
    reference, moved = mnn_correct([first, second], k=10, sigma=0.1)
    np.testing.assert_allclose(reference, normalize(first))
    for group in (0, 1):
        centre, before, after = (x[label == group].mean(axis=0) for x in (normalize(first), normalize(second), moved))
        assert np.linalg.norm(after - centre) < 0.2 * np.linalg.norm(before - centre)


def test_a_third_batch_is_merged_with_the_two_before(groups):
    first, second, _ = groups
    third = mnn_correct([first, second, second], k=10, sigma=0.1)[2]
    np.testing.assert_allclose(third.mean(axis=0), normalize(first).mean(axis=0), atol=0.15)


def test_one_pair_moves_every_cell_by_its_difference():
    reference, batch = np.array([[1.0, 0.0]]), np.array([[0.6, 0.8], [0.8, 0.6]])
    _, moved = mnn_correct([reference, batch], k=1)
    # The pair is the reference with the second cell: both cells move by (1, 0) - (0.8, 0.6).
    np.testing.assert_allclose(moved, batch + np.array([0.2, -0.6]))
