from __future__ import annotations

import numpy as np

from scpareto.datasets import simulate_polynomial


def test_features_are_polynomials_of_the_plane():
    adata = simulate_polynomial(seed=1)
    assert adata.shape == (2200, 9)
    np.testing.assert_allclose(np.abs(adata.X).max(axis=0), 1, rtol=1e-6)
    x, y = adata.obsm["X_true"].T
    for name, values in (("x+y", x + y), ("xy", x * y), ("x^2y", x**2 * y), ("y^3", y**3)):
        expected = values / np.abs(values).max()
        np.testing.assert_allclose(adata[:, name].X.ravel(), expected, atol=1e-6)


def test_sizes_and_places_of_the_clusters():
    adata = simulate_polynomial(seed=0)
    sizes = adata.obs["cluster"].value_counts()
    assert (sizes["big"], sizes["small_3"], sizes["outlier"]) == (1000, 200, 200)
    plane = adata.obsm["X_true"]
    centres = {name: plane[adata.obs["cluster"] == name].mean(axis=0) for name in sizes.index}
    np.testing.assert_allclose(centres["big"], [-6, 0], atol=0.2)
    np.testing.assert_allclose(centres["small_1"], [7.8, 0], atol=0.1)
    assert np.linalg.norm(centres["small_1"] - centres["small_2"]) < 2.5


def test_equal_seeds_equal_bits():
    a, b, c = simulate_polynomial(seed=0), simulate_polynomial(seed=0), simulate_polynomial(seed=1)
    np.testing.assert_array_equal(a.X, b.X)
    assert not np.array_equal(a.X, c.X)
