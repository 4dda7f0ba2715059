from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from scpareto.pareto import min_norm_combination, min_norm_weights, preference_rays, preference_vectors

seeds = st.integers(0, 2**32 - 1)


def reference_weights(vectors):
    """Min-norm weights of the rows of ``vectors`` by non-negative least squares.

    Minimising ``|V'u|^2 + (sum(u) - 1)^2`` over ``u >= 0`` and dividing by the sum gives the same minimiser.
    """
    vectors = vectors / np.abs(vectors).max()
    system = np.vstack([vectors.T, np.ones(len(vectors))])
    u = nnls(system, np.append(np.zeros(vectors.shape[1]), 1.0))[0]
    return u / u.sum()


def one_sided_vertices(rng):
    """Objectives and the active constraints of a non-negative loss vector, as in the main phase."""
    rays = preference_rays(preference_vectors(10))
    k, losses = rng.integers(10), rng.uniform(size=2)
    differences = np.delete(rays, k, axis=0) - rays[k]
    return np.vstack([np.eye(2), differences[differences @ losses > 0]])


@given(seed=seeds, scale=st.sampled_from([1.0, 1e-12, 1e9]))
def test_gram_problem_equals_the_problem_over_all_parameters(seed, scale):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(2, 300)) * rng.uniform(0.01, 10, size=(2, 1)) * scale
    vertices = one_sided_vertices(rng)
    alpha = min_norm_combination(gradients @ gradients.T, vertices)
    full = reference_weights(vertices @ gradients) @ vertices @ gradients
    np.testing.assert_allclose(alpha @ gradients, full, atol=1e-7 * np.linalg.norm(full))
    assert np.linalg.norm(alpha @ gradients) == pytest.approx(np.linalg.norm(full), rel=1e-10)


@given(seed=seeds)
def test_pairs_equal_non_negative_least_squares(seed):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(2, 4))
    vertices = one_sided_vertices(rng)
    alpha = min_norm_combination(gradients @ gradients.T, vertices)
    expected = reference_weights(vertices @ gradients) @ vertices
    value, best = (np.sum((a @ gradients) ** 2) for a in (alpha, expected))
    assert value == pytest.approx(best, rel=1e-9)


@given(seed=seeds, m=st.integers(1, 12), dimension=st.integers(1, 8))
def test_general_weights_equal_non_negative_least_squares(seed, m, dimension):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(m, dimension)) + rng.uniform(0, 1.5)
    weights = min_norm_weights(vectors @ vectors.T)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    shortest = np.linalg.norm(reference_weights(vectors) @ vectors)
    assert np.linalg.norm(weights @ vectors) == pytest.approx(shortest, rel=1e-9, abs=1e-7)


@given(seed=seeds, n_objectives=st.integers(2, 4), m=st.integers(1, 9))
def test_every_vertex_descends(seed, n_objectives, m):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(n_objectives, 20)) * 10.0 ** rng.uniform(-4, 4, size=(n_objectives, 1))
    gramian = gradients @ gradients.T
    vertices = rng.normal(size=(m, n_objectives))
    alpha = min_norm_combination(gramian, vertices)
    length = alpha @ gramian @ alpha
    sizes = np.sqrt(np.einsum("mi,ij,mj->m", vertices, gramian, vertices))
    assert (vertices @ gramian @ alpha >= length - 1e-9 * sizes.max() * (sizes + np.sqrt(length))).all()


@pytest.mark.parametrize(("g11", "weight"), [(0.01, 0.990099), (0.1, 0.909091), (1, 0.5), (10, 0.090909)])
def test_multiple_gradient_descent_has_a_closed_form(g11, weight):
    assert min_norm_combination(np.diag([g11, 1.0]), np.eye(2)) == pytest.approx([weight, 1 - weight], abs=1e-6)
    assert min_norm_weights(np.diag([g11, 1.0])) == pytest.approx([weight, 1 - weight], abs=1e-6)


def test_a_longer_vector_behind_a_shorter_one_gets_no_weight():
    # g1.g2 > g1.g1: the closed form would leave the segment.
    np.testing.assert_array_equal(min_norm_combination([[1.0, 2.0], [2.0, 9.0]], np.eye(2)), [1, 0])
    np.testing.assert_array_equal(min_norm_weights([[1.0, 2.0], [2.0, 9.0]]), [1, 0])


def test_origin_inside_the_hull_gives_exactly_zero():
    vertices = [[1, 0], [0, 1], [-1, -1]]
    np.testing.assert_array_equal(min_norm_combination([[3.0, 0.4], [0.4, 1.0]], vertices), [0, 0])
    # The best pair alone is not at the origin, so this is not found by accident.
    pairs = [min_norm_combination(np.eye(2), [vertices[i], vertices[j]]) for i, j in [(0, 1), (0, 2), (1, 2)]]
    assert min(np.linalg.norm(pair) for pair in pairs) > 0.1
    np.testing.assert_allclose(min_norm_combination(np.eye(2), [[1, 2], [-2, -4]]), 0, atol=1e-15)
    np.testing.assert_allclose(min_norm_combination(np.eye(2), [[0, 0], [1, 2]]), 0)
    tetrahedron = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]]
    np.testing.assert_allclose(min_norm_combination(np.eye(3), tetrahedron), 0, atol=1e-12)


@given(seed=seeds)
def test_non_negative_losses_keep_the_origin_outside(seed):
    vertices = one_sided_vertices(np.random.default_rng(seed))
    constraints = vertices[2:]
    assert len({tuple(np.sign(row)) for row in constraints}) <= 1, "active constraints lie on one side of k"
    assert np.linalg.norm(min_norm_combination(np.eye(2), vertices)) > 1e-3


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e300])
def test_scale_does_not_matter(scale):
    gramian = np.array([[2.0, -0.5, 0.1], [-0.5, 1.0, 0.3], [0.1, 0.3, 4.0]])
    np.testing.assert_allclose(min_norm_weights(gramian * scale), min_norm_weights(gramian), rtol=1e-9)
    two = gramian[:2, :2]
    np.testing.assert_allclose(min_norm_combination(two * scale, np.eye(2)), min_norm_combination(two, np.eye(2)))


def test_gradients_of_very_different_length_are_resolved():
    # Two short vectors and a long one at right angles: weights are inverse squares.
    squares = np.array([1e-20, 3e-20, 1.0])
    expected = 1 / squares / (1 / squares).sum()
    # The smallest weight, of 1e-20, comes with the rounding of the linear algebra library.
    np.testing.assert_allclose(min_norm_weights(np.diag(squares)), expected, rtol=1e-4)


def test_degenerate_gramians():
    np.testing.assert_array_equal(min_norm_weights(np.zeros((4, 4))), np.full(4, 0.25))
    np.testing.assert_array_equal(min_norm_weights(np.diag([1.0, 0.0, 0.0])), [0, 0.5, 0.5])
    np.testing.assert_array_equal(min_norm_combination(np.zeros((2, 2)), np.eye(2)), [0.5, 0.5])
    # An objective without a gradient is already stationary: all weight on it.
    np.testing.assert_allclose(min_norm_combination(np.diag([1.0, 0.0]), np.eye(2)), [0, 1])
    # Rank one, opposite gradients: they cancel.
    np.testing.assert_allclose(min_norm_combination([[1.0, -2.0], [-2.0, 4.0]], np.eye(2)), [2 / 3, 1 / 3])
    np.testing.assert_allclose(min_norm_weights(np.ones((3, 3))).sum(), 1)
    duplicated = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    weights = min_norm_weights(duplicated)
    assert weights @ duplicated @ weights == pytest.approx(0.5)


@given(seed=seeds)
def test_order_of_the_objectives_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(3, 10))
    gramian, order = gradients @ gradients.T, rng.permutation(3)
    permuted = min_norm_weights(gramian[np.ix_(order, order)])
    np.testing.assert_allclose(permuted, min_norm_weights(gramian)[order], atol=1e-9)
    two = gramian[:2, :2]
    flipped = min_norm_combination(two[::-1, ::-1], np.eye(2))
    np.testing.assert_allclose(flipped, min_norm_combination(two, np.eye(2))[::-1], atol=1e-12)


@pytest.mark.parametrize("bad", [np.ones((2, 3)), np.ones(3), np.empty((0, 0)), np.array([[1, np.nan], [0, 1]])])
def test_bad_gramians_are_refused(bad):
    with pytest.raises(ValueError, match="Gramian"):
        min_norm_weights(bad)


@pytest.mark.parametrize("bad", [np.ones((2, 3)), np.empty((0, 2)), np.ones(2), np.array([[np.inf, 0]])])
def test_bad_vertices_are_refused(bad):
    with pytest.raises(ValueError, match="vertices"):
        min_norm_combination(np.eye(2), bad)
