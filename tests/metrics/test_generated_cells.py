"""Random-forest error, inception score, latent-space entropy and traversal scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from scpareto.metrics import inception_score, latent_space_entropy, random_forest_error, traversal_scores
from scpareto.metrics._inception_score import score_of_probabilities


def test_forest_cannot_tell_two_halves_apart_and_always_tells_shifted_cells():
    cells = np.random.default_rng(0).normal(size=(600, 20))
    assert random_forest_error(cells[:300], cells[300:], n_trees=100) == pytest.approx(0.5, abs=0.08)
    assert random_forest_error(cells[:300], cells[300:] + 5, n_trees=20) == 0.0


def test_error_falls_with_the_distance():
    cells = np.random.default_rng(0).normal(size=(600, 20))
    errors = [random_forest_error(cells[:300], cells[300:] + d, n_trees=50) for d in (0.0, 0.3, 0.6)]
    assert errors[0] > errors[1] > errors[2]


def test_components_are_at_most_a_tenth_of_the_real_cells():
    """A difference in a direction of little variance is not among two components."""
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=(2, 25, 6)) * [9, 8, 7, 1, 1, 0.1]
    generated[:, 5] += 3
    assert random_forest_error(real, generated, n_trees=50) > 0.3
    assert random_forest_error(real, generated, n_components=6, n_trees=50) < 0.1


def test_same_seed_same_error():
    cells = np.random.default_rng(0).normal(size=(100, 5))
    runs = [random_forest_error(cells[:50], cells[50:], n_trees=20, seed=s) for s in (0, 0)]
    assert runs[0] == runs[1]


def test_inception_score_of_probabilities_by_hand():
    assert score_of_probabilities(np.eye(4)) == pytest.approx(4.0, rel=1e-3)
    assert score_of_probabilities(np.full((5, 4), 0.25)) == pytest.approx(1.0)
    p = np.array([[0.9, 0.1], [0.4, 0.6]])
    marginal = p.mean(0)
    expected = np.exp(np.mean([sum(a * np.log(a / m) for a, m in zip(row, marginal, strict=True)) for row in p]))
    assert score_of_probabilities(p) == pytest.approx(expected, rel=1e-4)


def test_inception_score_sees_missing_types():
    rng = np.random.default_rng(0)
    types = np.repeat(np.arange(3), 60)
    cells = 6.0 * np.eye(3)[types] + rng.normal(size=(180, 3))
    labels = np.array(["x", "y", "z"])[types]
    all_types = inception_score(cells, labels, cells, n_trees=50)
    one_type = inception_score(cells, labels, cells[types == 0], n_trees=50)
    assert all_types.value > 2.4
    assert one_type.value < 1.2
    assert all_types.sd < 0.4


def test_latent_space_entropy_by_hand():
    mean, scale = np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([[1.0, 0.5], [2.0, 1.0]])
    z = np.array([[0.5, 0.0], [1.0, 1.0], [0.0, 0.0]])
    density = np.prod(norm.pdf(z[:, None], mean, scale), axis=2).mean(1)
    assert latent_space_entropy(z, mean, scale) == pytest.approx(-np.log(density).mean())


def test_codes_far_from_the_cells_have_more_entropy():
    rng = np.random.default_rng(0)
    mean, scale = rng.normal(size=(50, 3)), np.full((50, 3), 0.3)
    near = latent_space_entropy(mean + 0.3 * rng.normal(size=mean.shape), mean, scale)
    assert latent_space_entropy(mean + 2, mean, scale) > near + 1


def test_traversal_scores_by_hand():
    moved = np.zeros((3, 4, 2))
    moved[0, :, 0] = [0, 1, 2, 3]
    moved[1, :, 1] = [0, 2, 4, 6]
    real = np.array([[0.0, 0.0]] * 5 + [[0.0, 6.0]] * 5)
    table = traversal_scores(moved, real=real, labels=np.repeat(["a", "b"], 5), n_neighbors=3)
    np.testing.assert_allclose(table["variance_share"], [0.2, 0.8, 0.0])
    assert table["active"].tolist() == [True, True, False]
    assert table["type_changes"].tolist() == [0.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random_forest_error(np.zeros((9, 2)), np.zeros((9, 3))), "real 2, generated 3"),
        (lambda: random_forest_error(np.zeros((3, 2)), np.zeros((9, 2))), "3 real and 9 generated"),
        (lambda: random_forest_error(np.full((9, 2), np.inf), np.zeros((9, 2))), "`real` is NaN or infinite"),
        (lambda: inception_score(np.zeros((4, 2)), list("aabb"), np.zeros((2, 2))), "2 cells; give at least 3"),
        (lambda: inception_score(np.zeros((4, 2)), list("aaaa"), np.zeros((4, 2))), "1 distinct label"),
        (lambda: latent_space_entropy([[0.0]], [[0.0]], [[0.0]]), "not above 0"),
        (lambda: latent_space_entropy([[0.0]], [[0.0, 1.0]], [[1.0, 1.0]]), "dimensions must agree"),
        (lambda: traversal_scores(np.zeros((2, 3))), "n_latent, n_values, n_genes"),
        (lambda: traversal_scores(np.zeros((2, 3, 2)), real=np.zeros((3, 2))), "belong together"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
