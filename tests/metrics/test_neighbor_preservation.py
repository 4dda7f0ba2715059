from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from scpareto.datasets import simulate_polynomial
from scpareto.metrics import neighbor_preservation


def test_by_hand():
    original = np.array([[0.0], [1.0], [3.0], [7.0]])
    # Nearest before: 1, 0, 1, 2; now 1, 2, 1, 0.
    embedding = np.array([[0.0], [2.0], [3.0], [-4.0]])
    assert neighbor_preservation(original, embedding, 1).tolist() == [0.5]
    assert neighbor_preservation(original, embedding, [3]).tolist() == [1.0]


def test_an_isometry_keeps_all_and_noise_keeps_what_chance_gives():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 3))
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    np.testing.assert_array_equal(neighbor_preservation(x, x @ rotation, [5, 50]), 1.0)
    noise = neighbor_preservation(x, rng.normal(size=(600, 2)), [60, 300])
    np.testing.assert_allclose(noise, np.array([60, 300]) / 599, atol=0.01)
    np.testing.assert_allclose(
        neighbor_preservation(x, rng.normal(size=(600, 2)), [60, 300], adjusted=True), 0, atol=0.02
    )


def test_principal_components_of_the_polynomial_features():
    adata = simulate_polynomial(seed=0)
    kept = neighbor_preservation(adata.X, PCA(2).fit_transform(adata.X), [100, 500])
    np.testing.assert_allclose(kept, [0.955, 0.968], atol=5e-3)


def test_bad_arguments_are_refused():
    x = np.zeros((5, 2))
    with pytest.raises(ValueError, match="5 cells and `embedding` 4"):
        neighbor_preservation(x, x[:4], 1)
    with pytest.raises(ValueError, match="`n_neighbors` is 5; there are only 5"):
        neighbor_preservation(x, x, [1, 5])
