from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scpareto.pareto import get_solver, preference_rays, preference_vectors

GRIDS = {p: preference_vectors(6, p) for p in (2, 3, 4)}
seeds = st.integers(0, 2**32 - 1)


def random_gramian(seed, p, dimension=12):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(p, dimension)) * 10 ** rng.uniform(-1, 1, size=(p, 1)) + rng.uniform(0, 0.5)
    return gradients @ gradients.T


@given(seed=seeds, p=st.integers(2, 4))
def test_no_objective_rises(seed, p):
    gramian = random_gramian(seed, p)
    alpha = get_solver("mgda", preferences=GRIDS[p]).weights(np.ones(p), gramian, GRIDS[p][1])
    rates = gramian @ alpha
    # The shortest combination d of weights that sum to one: each product with a gradient is at least |d|^2.
    assert rates.min() >= alpha @ gramian @ alpha / p - 1e-9 * gramian.max()
    assert alpha.min() >= 0


@pytest.mark.parametrize("p", [2, 3, 4])
def test_equals_pareto_mtl_without_active_constraints(p):
    grid = GRIDS[p]
    for row, ray in enumerate(preference_rays(grid)):
        gramian = random_gramian(row, p)
        steered = get_solver("pareto_mtl", preferences=grid)
        steered.end_initial_phase()
        alpha = get_solver("mgda", preferences=grid).weights(ray, gramian, grid[row])
        np.testing.assert_allclose(steered.weights(ray, gramian, grid[row]), alpha, rtol=1e-12)


@pytest.mark.parametrize("p", [2, 3, 4])
def test_equals_the_weighting_of_torchjd(p):
    pytest.importorskip("torchjd")
    # Frank-Wolfe approaches the minimum slowly, from above.
    reference = get_solver("torchjd:MGDA", preferences=GRIDS[p], epsilon=1e-9, max_iters=1000)
    solver = get_solver("mgda", preferences=GRIDS[p])
    for seed in range(20):
        gramian = random_gramian(seed, p)
        exact, iterated = (s.weights(np.ones(p), gramian, GRIDS[p][0]) for s in (solver, reference))
        np.testing.assert_allclose(exact / p, iterated, atol=0.01)
        shortest, found = exact / p @ gramian @ exact / p, iterated @ gramian @ iterated
        assert shortest <= found * (1 + 1e-12)
        assert found == pytest.approx(shortest, rel=0.01)


def test_losses_and_preferences_do_not_matter():
    gramian, solver = random_gramian(0, 3), get_solver("mgda", preferences=GRIDS[3])
    alpha = solver.weights([0.1, 0.2, 0.3], gramian, GRIDS[3][0])
    np.testing.assert_array_equal(solver.weights([3.0, -1.0, 0.0], gramian, GRIDS[3][5]), alpha)
    assert solver.merit([1.0, 2.0, 4.0], GRIDS[3][0]) == solver.merit([4.0, 1.0, 2.0], GRIDS[3][5]) == 7
