"""What all built-in solvers have in common."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scpareto.pareto import get_solver, preference_vectors, solver_class, solver_names

NAMES = ["conditional", "epo", "mgda", "pareto_mtl", "scalarization", "tchebycheff"]
GRIDS = {2: preference_vectors(6), 3: preference_vectors(6, 3)}
each = pytest.mark.parametrize("name", NAMES)
seeds = st.integers(0, 2**32 - 1)


def make(name, grid):
    solver = get_solver(name, preferences=grid)
    solver.end_initial_phase()
    return solver


def test_names():
    assert solver_names() == NAMES


@each
@given(seed=seeds, p=st.sampled_from([2, 3]))
def test_permuting_the_objectives_permutes_the_weights(name, seed, p):
    rng = np.random.default_rng(seed)
    order, gradients, losses = rng.permutation(p), rng.normal(size=(p, 8)), rng.uniform(0.05, 1, p)
    gramian, preference = gradients @ gradients.T, GRIDS[p][rng.integers(6)]
    alpha = make(name, GRIDS[p]).weights(losses, gramian, preference)
    permuted = make(name, GRIDS[p][:, order]).weights(losses[order], gramian[np.ix_(order, order)], preference[order])
    np.testing.assert_allclose(permuted, alpha[order], atol=1e-6 * np.abs(alpha).max())


DEGENERATE = {
    "zero": lambda p: np.zeros((p, p)),
    "tiny": lambda p: 1e-300 * (np.eye(p) + 1),
    "huge": lambda p: 1e300 * (np.eye(p) + 1),
    "equal": lambda p: np.ones((p, p)),
    "opposite": lambda p: np.outer((-1.0) ** np.arange(p), (-1.0) ** np.arange(p)),
    "one without gradient": lambda p: np.diag(np.arange(p, dtype=float)),
    "of very different length": lambda p: np.diag(10.0 ** (-12 * np.arange(p))),
}


@each
@pytest.mark.parametrize("p", [2, 3])
@pytest.mark.parametrize("case", DEGENERATE)
def test_weights_of_degenerate_input_are_finite(name, p, case):
    gramian = DEGENERATE[case](p)
    for losses in (np.zeros(p), np.full(p, -0.3), np.full(p, 1e9), np.eye(p)[0], np.full(p, 1e-200)):
        for preference in [*GRIDS[p], *np.eye(p), np.append([0.5, 0.5], np.zeros(p - 2))]:
            alpha = make(name, GRIDS[p]).weights(losses, gramian, preference)
            assert np.isfinite(alpha).all()
            assert alpha.any()


@each
def test_without_any_gradient_no_objective_is_favoured(name):
    if solver_class(name).needs_gramian:
        for p, grid in GRIDS.items():
            alpha = make(name, grid).weights(np.ones(p) / 2, np.zeros((p, p)), np.full(p, 1 / p))
            np.testing.assert_allclose(alpha, alpha[0])


@each
@given(seed=seeds)
def test_weights_sum_to_the_number_of_objectives(name, seed):
    """Or to one for the weighted sum; the learning rate keeps its meaning across preferences."""
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(3, 30))
    alpha = make(name, GRIDS[3]).weights(rng.uniform(size=3), gradients @ gradients.T, GRIDS[3][rng.integers(6)])
    # The factor of Pareto MTL is capped.
    expected = {"scalarization": 1, "conditional": 1}.get(name, 3)
    assert np.abs(alpha).sum() == pytest.approx(expected) or (name == "pareto_mtl" and np.abs(alpha).sum() < 3)
    if name != "pareto_mtl":
        assert alpha.min() >= 0


@each
def test_state_survives_as_plain_values_and_continues_equally(name):
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(2, 4))
    gramian, grid = gradients @ gradients.T, GRIDS[2]
    solver = get_solver(name, preferences=grid)
    for _ in range(5):
        solver.weights(rng.uniform(size=2), gramian, grid[2])
    resumed = get_solver(name, preferences=grid)
    resumed.load_state_dict(json.loads(json.dumps(solver.state_dict())))
    assert resumed.phase == solver.phase
    for _ in range(5):
        losses, row = rng.uniform(size=2), rng.integers(1, 4)
        alpha = solver.weights(losses, gramian, grid[row])
        np.testing.assert_array_equal(resumed.weights(losses, gramian, grid[row]), alpha)
    assert resumed.state_dict() == solver.state_dict()
    follows_losses = name in ("epo", "pareto_mtl", "tchebycheff")
    assert ("running_losses" in solver.state_dict()) == follows_losses


@pytest.mark.parametrize("name", ["epo", "pareto_mtl", "tchebycheff"])
def test_running_means_are_kept_per_preference(name):
    solver = make(name, GRIDS[2])
    solver.weights([0.5, 0.5], np.eye(2), GRIDS[2][2])
    solver.weights([0.7, 0.1], np.eye(2), GRIDS[2][2])
    solver.weights([0.2, 0.2], np.eye(2), GRIDS[2][4])
    running = solver.state_dict()["running_losses"]
    assert set(running) == {2, 4}
    np.testing.assert_allclose(running[2], [0.6, 0.3])
    np.testing.assert_allclose(running[4], [0.2, 0.2])
    # What counts is the mean: the weights are those of a solver that sees it.
    mean = solver.weights([0.6, 0.3], np.eye(2), GRIDS[2][2])
    np.testing.assert_allclose(make(name, GRIDS[2]).weights([0.6, 0.3], np.eye(2), GRIDS[2][2]), mean)
