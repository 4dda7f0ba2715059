from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scpareto.pareto import Safeguards, get_solver, preference_rays, preference_vectors

GRID = preference_vectors(10)
THREE = preference_vectors(10, 3)
seeds = st.integers(0, 2**32 - 1)


def tchebycheff(grid=GRID, **options):
    return get_solver("tchebycheff", preferences=grid, safeguards=Safeguards(running_mean=None), **options)


@given(seed=seeds, p=st.sampled_from([2, 3]), smoothing=st.floats(0.05, 1))
def test_weights_are_the_direction_of_the_gradient_of_the_merit(seed, p, smoothing):
    rng = np.random.default_rng(seed)
    grid = GRID if p == 2 else THREE
    solver, losses, preference = tchebycheff(grid, smoothing=smoothing), rng.uniform(0, 1, p), grid[rng.integers(10)]
    alpha = solver.weights(losses, None, preference)
    steps = 1e-6 * np.eye(p)
    gradient = [(solver.merit(losses + h, preference) - solver.merit(losses - h, preference)) / 2e-6 for h in steps]
    np.testing.assert_allclose(alpha, p * np.array(gradient) / np.sum(gradient), atol=1e-5)


def test_on_the_ray_the_weights_are_the_preference():
    # All products of importance and loss are equal there, so the softmax is uniform.
    for grid in (GRID[1:-1], THREE):
        for preference, ray in zip(grid, preference_rays(grid), strict=True):
            np.testing.assert_allclose(tchebycheff(grid).weights(ray, None, preference), len(ray) * preference)


def test_off_the_ray_the_largest_product_takes_over():
    for preference in (GRID[3], GRID[6]):
        ray = preference_rays(preference[None])[0]
        alpha = tchebycheff(smoothing=0.01).weights(ray * [1.2, 1], None, preference)
        np.testing.assert_allclose(alpha, [2, 0], atol=1e-6)
        alpha = tchebycheff(smoothing=0.01).weights(ray * [1, 1.2], None, preference)
        np.testing.assert_allclose(alpha, [0, 2], atol=1e-6)


def test_merit_approaches_the_largest_product():
    losses = np.array([0.3, 0.8])
    largest = max(GRID[4] * losses)
    values = [tchebycheff(smoothing=s).merit(losses, GRID[4]) for s in (1, 0.1, 1e-3)]
    assert values[0] > values[1] > values[2] >= largest
    assert values[2] == pytest.approx(largest, abs=1e-6)


def test_smoothing_means_the_same_for_every_preference():
    # On the ray at distance one, in units of the value there, the merit lies log(2) smoothings above it.
    for preference, ray in zip(GRID[1:-1], preference_rays(GRID[1:-1]), strict=True):
        value = preference[0] * ray[0]
        assert tchebycheff(smoothing=0.2).merit(ray, preference) / value == pytest.approx(1 + 0.2 * np.log(2))


def test_unimportant_objectives_take_no_part():
    # Not even when the important one is far below its ideal.
    np.testing.assert_array_equal(tchebycheff().weights([-1e6, 0.5], None, [1, 0]), [2, 0])
    assert tchebycheff().merit([0.3, 9.0], [1, 0]) == pytest.approx(0.3)
    alpha = tchebycheff(THREE).weights([0.2, 0.2, 0.9], None, [0.5, 0.5, 0])
    np.testing.assert_allclose(alpha, [1.5, 1.5, 0])


@pytest.mark.parametrize("smoothing", [0, -1, float("nan"), float("inf")])
def test_bad_smoothing_is_refused(smoothing):
    with pytest.raises(ValueError, match=f"smoothing.*{smoothing}"):
        tchebycheff(smoothing=smoothing)
