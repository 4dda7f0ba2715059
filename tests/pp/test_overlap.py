from __future__ import annotations

import numpy as np

from scpareto.pp._overlap import compute_comparable_share, compute_donor_shares, find_linked_batches


def test_comparable_cells_are_as_near_as_neighbours_at_home():
    rng = np.random.default_rng(0)
    ring = rng.uniform(0, np.pi, size=600)
    batch = np.repeat([0, 1, 2], 200)
    ring[batch == 2] += np.pi  # the other half of the circle
    share = compute_comparable_share(np.stack([np.cos(ring), np.sin(ring)], axis=1), batch, 0)
    assert min(share[0, 1], share[1, 0]) > 0.99
    assert max(share[0, 2], share[2, 0], share[1, 2], share[2, 1]) < 0.25
    np.testing.assert_array_equal(np.diag(share), 1)


def test_large_batches_are_sampled():
    points = np.random.default_rng(0).normal(size=(6000, 3))
    share = compute_comparable_share(points, np.arange(6000) % 2, 0)
    assert share.min() > 0.98


def test_shares_of_cells_with_donors():
    has = np.array([[0, 1], [0, 0], [0, 1], [1, 0]], dtype=bool)
    by_batch, by_stratum = compute_donor_shares(has, np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(by_batch, [[1, 2 / 3], [1, 1]])
    np.testing.assert_allclose(by_stratum, [[0.5, np.nan], [1, 1]])


def test_batches_are_linked_through_strata_of_others():
    exposure = np.array([[1.0, 2, 0, 0], [0, 1, 3, 0], [0, 0, 0, 4]])
    group = find_linked_batches(exposure)
    assert group[0] == group[1] == group[2] != group[3]
    assert find_linked_batches(exposure[:2, :3]).max() == 0
