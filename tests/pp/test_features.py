from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from scpareto.datasets import simulate_multiplicative
from scpareto.pp._features import FEATURES, compute_features, rotate_to_principal_axes, scale_to_unit_length
from scpareto.pp._strata import STRATA, assign_strata


@pytest.fixture(scope="module")
def cells():
    adata = simulate_multiplicative(300, 80, scenario="S3", mean_count=1.0)
    return adata.X, adata.obs["batch"].cat.codes.to_numpy().astype(np.int64)


def features(counts, batch, name="pca_centered", **options):
    defaults = {"n_components": None, "n_top_genes": 2000, "control": None, "seed": 0}
    return compute_features(counts, batch, features=name, **{**defaults, **options})


def batch_correlation(scores: np.ndarray, batch: np.ndarray) -> float:
    return max(abs(np.corrcoef(column, batch == b)[0, 1]) for column in scores.T for b in np.unique(batch))


def test_principal_components_are_those_of_the_centred_matrix(cells):
    counts, batch = cells
    logged = np.log1p(1e4 * counts.toarray() / counts.toarray().sum(axis=1, keepdims=True)).astype(float)
    for b in range(3):
        logged[batch == b] -= logged[batch == b].mean(axis=0)
    singular = np.linalg.svd(logged, compute_uv=False)
    found = features(counts, batch, n_components=7)
    assert found.shape == (300, 7)
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), singular[:7], rtol=1e-6)
    np.testing.assert_allclose(found.T @ found, np.diag(singular[:7] ** 2), atol=1e-4)


def test_more_components_than_there_are(cells):
    counts, batch = cells
    few = sparse.csr_matrix(1 + counts[:, :6].toarray())
    assert features(few, batch, n_components=20).shape == (300, 6)


@pytest.mark.parametrize("name", ["pca_centered", "rp_resid"])
def test_batch_means_are_gone(cells, name):
    counts, batch = cells
    scores = features(counts, batch, name)
    assert batch_correlation(scores, batch) < 1e-10


def test_projections_of_the_note_carry_the_batch_until_it_is_regressed_out():
    """Published: .76 to .84 before, 1e-15 after."""
    adata = simulate_multiplicative(seed=1331)
    batch = adata.obs["batch"].cat.codes.to_numpy().astype(np.int64)
    projected = adata.X @ np.random.default_rng(1331).standard_normal((500, 5))
    assert 0.5 < batch_correlation(projected, batch) < 0.95
    assert batch_correlation(features(adata.X, batch, "rp_resid", seed=1331), batch) < 1e-13


@pytest.mark.parametrize("name", FEATURES)
def test_order_of_cells_does_not_matter(cells, name):
    counts, batch = cells
    order = np.random.default_rng(0).permutation(300)
    found, shuffled = features(counts, batch, name), features(counts[order], batch[order], name)
    np.testing.assert_allclose(found[order], shuffled, atol=1e-8 * np.abs(found).max())


def test_counts_are_left_alone(cells):
    counts, batch = cells
    before = counts.copy()
    features(counts, batch)
    assert (counts != before).nnz == 0


def test_variable_genes_are_enough():
    adata = simulate_multiplicative(600, 300, scenario="S2", mean_count=2.0)
    constant = sparse.csr_matrix(np.random.default_rng(0).poisson(2.0, (600, 300)).astype(np.float32))
    batch = adata.obs["batch"].cat.codes.to_numpy().astype(np.int64)
    scores = features(sparse.hstack([adata.X, constant], format="csr"), batch, n_top_genes=300, n_components=3)
    alone = features(adata.X, batch, n_components=3)
    shared = np.linalg.svd(np.linalg.qr(scores)[0].T @ np.linalg.qr(alone)[0], compute_uv=False)
    assert shared.min() > 0.9  # cosines between the two spaces


def test_components_of_control_genes_are_regressed_out(cells):
    """A gradient that moves all genes is gone if control genes show it."""
    counts, batch = cells
    rng = np.random.default_rng(0)
    gradient = rng.normal(size=300)
    rate = (1 + counts.toarray()) * np.exp(0.8 * gradient[:, None] * (np.arange(80) < 40))
    dense = sparse.csr_matrix(rng.poisson(5 * rate).astype(np.float32))
    control = np.arange(80) < 20
    centred = gradient - np.array([gradient[batch == b].mean() for b in range(3)])[batch]
    without, given = (features(dense, batch, control=c, n_components=5) for c in (None, control))

    def explained(scores):
        return np.linalg.norm(np.linalg.qr(scores)[0].T @ centred) / np.linalg.norm(centred)

    assert explained(without) > 0.8
    assert explained(given) < 0.5


def test_given_coordinates_keep_their_distances():
    values = np.random.default_rng(0).normal(size=(50, 4)) * [1, 5, 2, 3]
    found = rotate_to_principal_axes(values)
    np.testing.assert_allclose(
        np.linalg.norm(found[:10, None] - found, axis=2), np.linalg.norm(values[:10, None] - values, axis=2)
    )
    assert (np.diff(found.std(axis=0)) < 0).all()
    np.testing.assert_allclose(np.linalg.norm(scale_to_unit_length(found), axis=1), 1)
    np.testing.assert_array_equal(scale_to_unit_length(np.zeros((1, 3))), 0)


def test_signs_of_the_first_coordinates_make_the_strata():
    scores = np.random.default_rng(0).normal(size=(500, 9))
    found = assign_strata(scores, scale_to_unit_length(scores), strata="sign_hash", n_strata=8, seed=0)
    assert len(np.unique(found)) == 8
    for stratum in range(8):
        assert len(np.unique(scores[found == stratum, :3] > 0, axis=0)) == 1


@pytest.mark.parametrize("strata", STRATA)
def test_strata_are_numbered_without_gaps(strata):
    scores = np.random.default_rng(0).normal(size=(100, 2))
    found = assign_strata(scores, scale_to_unit_length(scores), strata=strata, n_strata=None, seed=0)
    assert np.unique(found).tolist() == list(range(len(np.unique(found))))
    assert len(np.unique(found)) == {"sign_hash": 4, "kmeans": 3}[strata]
