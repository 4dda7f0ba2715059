from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from scpareto.metrics import nn_mutual_information
from scpareto.metrics._label_ranks import approximate_label_ranks, exact_label_ranks
from scpareto.metrics._ties import break_ties


def _cells(n: int, proportions=(0.7, 0.2, 0.07, 0.03), d: int = 5, seed: int = 0):
    rng = np.random.default_rng(seed)
    label = rng.choice(len(proportions), n, p=proportions)
    return rng.standard_normal((n, d)) + 0.5 * label[:, None], label, np.full(n, 3)


@pytest.fixture
def descent(monkeypatch):
    """Put an exact search in the place of pynndescent, which compiles for half a minute; ``spoil`` edits its rows."""
    settings = SimpleNamespace(spoil=lambda near, distance: None, asked=[])

    class Search:
        def __init__(self, codes, *, n_neighbors, random_state):
            settings.asked.append(n_neighbors)
            distance, near = NearestNeighbors(n_neighbors=n_neighbors, algorithm="kd_tree").fit(codes).kneighbors(codes)
            settings.spoil(near, distance)
            self.neighbor_graph = near, distance

    monkeypatch.setitem(sys.modules, "pynndescent", SimpleNamespace(NNDescent=Search))
    return settings


def test_exact_ranks_equal_a_sorted_distance_matrix():
    codes, label, k = _cells(300)
    k[label == 3] = 1
    order = np.argsort(np.linalg.norm(codes[:, None] - codes, axis=2), axis=1)
    same = np.cumsum(label[order[:, 1:]] == label[:, None], axis=1)
    expected = np.argmax(same >= k[:, None], axis=1) + 1  # the cell itself and what stands before the k-th
    assert (exact_label_ranks(codes, label, k, np.arange(300)) == expected).all()
    rows = np.array([7, 290, 3])
    assert (exact_label_ranks(codes, label, k, rows) == expected[rows]).all()


def test_ranks_are_read_off_the_neighbors_and_rare_labels_are_counted(descent):
    codes, label, k = _cells(800)
    exact = exact_label_ranks(codes, label, k, np.arange(800))
    assert exact.max() > 60 > np.median(exact)  # both ways are needed
    assert (approximate_label_ranks(codes, label, k, seed=0) == exact).all()
    assert descent.asked == [61]


def test_rows_with_neighbors_not_found_are_counted(descent):
    codes, label, k = _cells(800)

    def forget(near, distance):
        near[::2, 1:] = -1
        distance[::2, 1:] = np.inf

    descent.spoil = forget
    assert (
        approximate_label_ranks(codes, label, k, seed=0) == exact_label_ranks(codes, label, k, np.arange(800))
    ).all()


def test_a_cell_that_does_not_stand_first_in_its_row_is_not_its_own_neighbor(descent):
    codes, label, k = _cells(800)

    def swap(near, distance):
        near[:, :2] = near[:, 1::-1]

    exact = exact_label_ranks(codes, label, k, np.arange(800))
    descent.spoil = swap
    assert (approximate_label_ranks(codes, label, k, seed=0) == exact).all()


def test_cells_with_only_duplicates_around_are_counted(descent):
    # Were the order of the search taken, which is that of the rows, duplicates would look perfectly separated.
    label = np.repeat([0, 1], 200)
    codes = break_ties(np.arange(400)[:, None] % 2 + np.zeros((400, 2)), np.random.default_rng(0))

    def by_row(near, distance):
        near[:, 1:] = np.where(label[:, None] == 0, np.arange(60), np.arange(340, 400))

    descent.spoil = by_row
    k = np.full(400, 3)
    assert (
        approximate_label_ranks(codes, label, k, seed=0) == exact_label_ranks(codes, label, k, np.arange(400))
    ).all()


def test_few_cells_are_counted(descent):
    codes, label, k = _cells(61, (0.5, 0.5))
    assert (approximate_label_ranks(codes, label, k, seed=0) == exact_label_ranks(codes, label, k, np.arange(61))).all()
    assert descent.asked == []


@pytest.mark.slow
@pytest.mark.parametrize("d", [2, 10, 30])
@pytest.mark.parametrize("scale", [1.0, 1e-30])
def test_descent_agrees_with_the_exact_estimate(d, scale):
    codes, label, _ = _cells(5000, d=d)
    exact = nn_mutual_information(codes, label)
    values = [nn_mutual_information(scale * codes, label, approximate=True) for _ in range(2)]
    assert values[0] == values[1] == pytest.approx(exact, abs=0.005)


@pytest.mark.slow
def test_descent_on_duplicates_sorted_by_label():
    codes = np.random.default_rng(0).integers(2, size=(10_000, 1)) + 1e5
    assert abs(nn_mutual_information(codes, np.repeat(["a", "b"], 5000), approximate=True)) < 0.02
