from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scpareto.pareto import Safeguards, get_solver, preference_rays, preference_vectors

GRIDS = {2: preference_vectors(10), 3: preference_vectors(10, 3)}
seeds = st.integers(0, 2**32 - 1)


def epo(p=2, **options):
    return get_solver("epo", preferences=GRIDS[p], safeguards=Safeguards(running_mean=None), **options)


def non_uniformity(losses, preference):
    shares = preference * losses / (preference @ losses)
    return shares @ np.log(len(shares) * shares)


def random_problem(seed, p):
    """Losses, Gramian, and a preference without zeros."""
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(p, 6)) + rng.uniform(0, 1)
    gramian = gradients @ gradients.T
    return rng.uniform(0.05, 1, p), gramian / gramian.max(), GRIDS[p][rng.integers(1, 9)]


@given(seed=seeds, p=st.sampled_from([2, 3]))
def test_the_largest_product_never_rises(seed, p):
    losses, gramian, preference = random_problem(seed, p)
    rates = gramian @ epo(p).weights(losses, gramian, preference)
    assert rates[np.argmax(preference * losses)] >= -1e-6


@given(seed=seeds, p=st.sampled_from([2, 3]))
def test_a_loss_rises_only_where_that_lowers_the_non_uniformity(seed, p):
    losses, gramian, preference = random_problem(seed, p)
    rates = gramian @ epo(p).weights(losses, gramian, preference)
    now = non_uniformity(losses, preference)
    after = non_uniformity(losses - 1e-6 * rates, preference)
    assert after <= now + 1e-11 or rates.min() >= -1e-6


@given(seed=seeds)
def test_conflicting_gradients_can_always_be_balanced(seed):
    losses, gramian, preference = random_problem(seed, 2)
    # Beyond what a finite difference resolves, away from the ray and from parallel gradients.
    assume(non_uniformity(losses, preference) > 1e-3)
    gramian = np.where(np.eye(2), gramian, -np.abs(gramian)) * [[1, 0.9], [0.9, 1]]
    rates = gramian @ epo().weights(losses, gramian, preference)
    assert non_uniformity(losses - 1e-6 * rates, preference) < non_uniformity(losses, preference)


def test_on_the_ray_no_loss_rises_and_the_sum_falls_fastest():
    for p, grid in GRIDS.items():
        for row in range(1, 9):
            _, gramian, _ = random_problem(row, p)
            rates = gramian @ epo(p).weights(preference_rays(grid)[row], gramian, grid[row])
            assert rates.min() >= -1e-6
            # No feasible random combination does better.
            others = np.random.default_rng(row).dirichlet(np.ones(p), 2000) @ gramian * p
            feasible = others[others.min(axis=1) >= 0]
            assert rates.sum() >= feasible.sum(axis=1).max(initial=0) - 1e-6


def test_off_the_ray_the_non_uniformity_falls_fastest():
    losses, preference, gramian = np.array([0.9, 0.1]), np.array([0.5, 0.5]), np.eye(2)
    np.testing.assert_array_equal(epo().weights(losses, gramian, preference), [2, 0])
    np.testing.assert_array_equal(epo().weights(losses[::-1], gramian, preference), [0, 2])
    # The ascent of the other loss is bounded by what steepest descent on the non-uniformity would do to it.
    conflict = np.array([[1.0, -0.8], [-0.8, 1.0]])
    shares = losses / losses.sum()
    anchor = 0.5 * (np.log(2 * shares) - non_uniformity(losses, preference))
    rates = conflict @ epo().weights(losses, conflict, preference) / 2
    assert rates[1] == pytest.approx(max(-0.8, (conflict @ anchor)[1]))


def test_where_balance_is_impossible_all_losses_fall():
    # Both gradients point the same way and the smaller loss falls faster, whatever the weights.
    gramian = np.array([[1.0, 2.9], [2.9, 9.0]])
    losses, preference = np.array([0.9, 0.3]), np.array([0.5, 0.5])
    rates = gramian @ epo().weights(losses, gramian, preference)
    assert non_uniformity(losses - 1e-6 * rates, preference) > non_uniformity(losses, preference)
    assert rates.min() > 0
    # Of all weights the ones that keep the smaller loss up as much as possible.
    np.testing.assert_array_equal(epo().weights(losses, gramian, preference), [2, 0])


def test_a_critical_point_on_its_ray_is_left_alone():
    gramian = np.outer([1.0, -0.5], [1.0, -0.5])
    np.testing.assert_allclose(gramian @ epo().weights([0.4, 0.4], gramian, [0.5, 0.5]), 0, atol=1e-12)
    three = np.array([[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5], [-0.5, -0.5, 1.0]])
    np.testing.assert_allclose(three @ epo(3).weights(np.ones(3), three, np.ones(3) / 3), 0, atol=1e-6)


def test_tolerance_is_the_non_uniformity_that_counts_as_the_ray():
    losses, preference, gramian = np.array([0.5, 0.45]), np.array([0.5, 0.5]), np.diag([1.0, 3.0])
    actual = non_uniformity(losses, preference)
    # In descent the steeper objective, in balance the larger.
    np.testing.assert_array_equal(epo(tolerance=1.01 * actual).weights(losses, gramian, preference), [0, 2])
    np.testing.assert_array_equal(epo(tolerance=0.99 * actual).weights(losses, gramian, preference), [2, 0])
    for tolerance in (-1e-3, float("nan")):
        with pytest.raises(ValueError, match=f"tolerance.*{tolerance}"):
            epo(tolerance=tolerance)


def test_losses_below_the_ideal_count_as_just_above_it():
    for gramian in (np.eye(2), np.array([[1.0, -0.6], [-0.6, 1.0]])):
        below = epo().weights([0.4, -0.2], gramian, [0.5, 0.5])
        np.testing.assert_array_equal(below, epo().weights([0.4, 0.0], gramian, [0.5, 0.5]))
        np.testing.assert_array_equal(below, epo().weights([0.4, 1e-9], gramian, [0.5, 0.5]))
    # At the ideal there is no direction to correct: descent.
    np.testing.assert_array_equal(epo().weights([-0.1, -0.2], np.diag([1.0, 3.0]), [0.5, 0.5]), [0, 2])


def test_unimportant_objectives_take_no_part():
    np.testing.assert_array_equal(epo().weights([0.1, 0.9], [[1.0, -0.9], [-0.9, 4.0]], [1, 0]), [2, 0])
    two, three = np.array([[1.0, -0.3], [-0.3, 2.0]]), np.eye(3)
    three[:2, :2] = two
    alpha = epo().weights([0.8, 0.3], two, [0.5, 0.5])
    np.testing.assert_allclose(epo(3).weights([0.8, 0.3, 5.0], three, [0.5, 0.5, 0]), np.append(1.5 * alpha, 0))
