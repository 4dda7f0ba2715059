from __future__ import annotations

import numpy as np
import pytest

from scpareto.pp._donors import find_donors
from scpareto.pp._weights import WEIGHTS, compute_entropy_weights, compute_softmax_weights


def find(points, batch, **options):
    defaults = {"n_neighbors": 2, "n_mutual": None, "weights": "softmax", "approximate": None, "seed": 0}
    pairs = find_donors(np.asarray(points, float), np.asarray(batch), **{**defaults, **options})
    return {(query, donor): weights.toarray() for query, donor, weights in pairs}


def test_donors_are_the_nearest_cells_of_every_other_batch():
    found = find([[0.0], [1.0], [5.0], [0.1], [1.1], [9.0], [4.0]], [0, 0, 0, 1, 1, 1, 2], n_neighbors=1)
    assert sorted(found) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    np.testing.assert_array_equal(found[0, 1], [[1, 0, 0], [0, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(found[1, 0], [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(found[2, 0], [[0, 0, 1]])


def test_only_mutual_neighbours_are_accepted():
    """The cells at 5 and 9 have nearest cells in the other batch, which have nearer ones in turn."""
    found = find([[0.0], [1.0], [5.0], [0.1], [1.1], [9.0]], [0, 0, 0, 1, 1, 1], n_neighbors=1, n_mutual=1)
    np.testing.assert_array_equal(found[0, 1], [[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(found[1, 0], [[1, 0, 0], [0, 1, 0], [0, 0, 0]])


def test_weights_sum_to_one_or_donors_are_missing():
    rng = np.random.default_rng(0)
    points, batch = rng.normal(size=(300, 3)), rng.integers(3, size=300)
    for weights in WEIGHTS:
        for pair in find(points, batch, n_neighbors=4, n_mutual=5, weights=weights).values():
            total = pair.sum(axis=1)
            np.testing.assert_allclose(total[total > 0], 1)
            assert (np.count_nonzero(pair, axis=1) <= 4).all()
            assert (total == 0).any()


def test_small_batches_lend_what_they_have():
    found = find(np.arange(6.0)[:, None], [0, 0, 0, 0, 1, 1], n_neighbors=2, n_mutual=10)
    assert (np.count_nonzero(found[0, 1], axis=1) == 2).all()


@pytest.mark.slow  # nearest-neighbour descent is compiled at its first use
def test_approximate_neighbours_agree_with_exact_ones():
    rng = np.random.default_rng(0)
    points, batch = rng.normal(size=(3000, 8)), rng.integers(2, size=3000)
    options = {"n_neighbors": 5, "n_mutual": 10}
    exact, approximate = (find(points, batch, approximate=a, **options)[0, 1] > 0 for a in (False, True))
    assert (exact & approximate).sum() > 0.97 * exact.sum()
    assert approximate.sum() < 1.02 * exact.sum()


def test_softmax_of_squared_distances():
    found = compute_softmax_weights(np.array([[1.0, 2.0, np.inf], [np.inf, np.inf, np.inf]]))
    np.testing.assert_allclose(found[0], np.array([1, np.exp(-3), 0]) / (1 + np.exp(-3)))
    np.testing.assert_array_equal(found[1], 0)


def test_entropy_weights_have_the_sum_of_umap():
    distance = np.array([[0.5, 0.8, 1.0, 3.0, 9.0], [1.0, 1.5, 1.6, np.inf, np.inf]])
    found = compute_entropy_weights(distance)
    # Relative to the nearest, weights sum to log2 of the number of donors.
    np.testing.assert_allclose((found / found[:, :1]).sum(axis=1), np.log2([5, 3]), rtol=1e-6)
    assert (np.diff(found, axis=1) <= 0).all()


@pytest.mark.parametrize("distance", [[[1.0, 2.0]], [[1.0, np.inf]]])
def test_entropy_weights_of_few_donors_take_the_nearest(distance):
    np.testing.assert_allclose(compute_entropy_weights(np.array(distance)), [[1, 0]], atol=1e-12)


def test_donors_at_no_distance_share_equally():
    np.testing.assert_allclose(compute_entropy_weights(np.zeros((1, 4))), 0.25)
    np.testing.assert_allclose(compute_softmax_weights(np.zeros((1, 4))), 0.25)


def test_a_caliper_leaves_cells_without_a_counterpart_without_donors():
    """Two types in each batch, one of them shared: the other two are mutual neighbours, far apart."""
    shared, first, second = np.arange(5) / 10, 20 + np.arange(5) / 10, 40 + np.arange(5) / 10
    points = np.concatenate([shared, first, shared, second])[:, None]
    batch = np.repeat([0, 1], 10)
    wide = find(points, batch, n_mutual=5)[0, 1]
    near = find(points, batch, n_mutual=5, caliper=2.0)[0, 1]
    assert wide[5:].sum() >= 3
    assert (near[5:] == 0).all()
    np.testing.assert_array_equal(near[:5], wide[:5])
