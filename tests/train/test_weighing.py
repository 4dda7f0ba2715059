from __future__ import annotations

import numpy as np
import pytest
import torch

from scpareto.pareto import Scaler, get_solver, preference_rays, preference_vectors
from scpareto.train._weighing import FixedWeighing, SolverWeighing

GRID = preference_vectors(6)
SCALER = Scaler("payoff", [300.0, 0.0], [340.0, 0.5])


def weighing(method="pareto_mtl", row=2, cap=2):
    solver = get_solver(method, preferences=GRID)
    return SolverWeighing(solver, GRID[row], SCALER, max_initial_epochs=cap)


def test_fixed_weights_skip_what_does_not_count():
    fixed = FixedWeighing([0.0, 2.0])
    assert fixed.active == [False, True]
    assert not fixed.needs_gramian
    assert fixed.in_main_phase
    np.testing.assert_array_equal(fixed.weights(np.array([np.nan, 3.0]), None), [0, 2])
    assert fixed.merit(np.array([np.nan, 3.0])) == 6
    assert FixedWeighing([0.5, 2.0]).merit(np.array([1.0, 3.0])) == 6.5
    losses = [None, torch.tensor(7.0)]
    assert fixed.scale(losses) is losses


@pytest.mark.parametrize("cap", [0, 1, 3])
def test_the_initial_phase_ends_at_its_cap(cap):
    initial = weighing(cap=cap)
    for _ in range(cap):
        assert not initial.in_main_phase
        initial.end_epoch()
    assert initial.in_main_phase
    assert initial.max_initial_epochs == cap
    initial.end_epoch()
    assert initial.in_main_phase


def test_the_initial_phase_ends_early_where_the_solver_says_so():
    initial = weighing(cap=5)
    initial.weights(
        preference_rays(GRID)[2],
        np.eye(2),
    )
    assert initial.in_main_phase


def test_an_objective_without_gradient_is_left_out():
    losses = np.array([0.5, 0.0])
    np.testing.assert_array_equal(weighing().weights(losses, np.diag([3.0, 0.0])), [1, 0])
    np.testing.assert_array_equal(weighing().weights(losses, np.diag([0.0, 3.0])), [0, 1])
    np.testing.assert_allclose(
        weighing().weights(losses, np.eye(2)), weighing().solver.weights(losses, np.eye(2), GRID[2])
    )


def test_without_an_initial_phase_the_main_one_comes_first():
    plain = weighing("scalarization")
    assert plain.in_main_phase
    assert not plain.needs_gramian
    np.testing.assert_allclose(plain.weights(np.array([1.0, 2.0]), None), GRID[2])


def test_losses_are_standardised_with_their_gradients():
    losses = [torch.tensor(310.0, requires_grad=True), torch.tensor(0.25, requires_grad=True)]
    scaled = weighing().scale(losses)
    assert [float(loss.detach()) for loss in scaled] == [0.25, 0.5]
    sum(scaled).backward()
    assert [float(loss.grad) for loss in losses] == pytest.approx([1 / 40, 2])
    assert weighing().scale([None, losses[1]])[0] is None


def test_merit_is_that_of_the_solver():
    losses = np.array([0.2, 0.9])
    for method in ("pareto_mtl", "scalarization"):
        solver = get_solver(method, preferences=GRID)
        assert weighing(method).merit(losses) == solver.merit(SCALER.scale(losses), GRID[2])
