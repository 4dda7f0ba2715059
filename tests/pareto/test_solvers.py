from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scpareto.pareto import (
    Safeguards,
    Solver,
    get_solver,
    preference_rays,
    preference_vectors,
    register_solver,
    solver_class,
    solver_names,
)

GRID = preference_vectors(10)
RAYS = preference_rays(GRID)
GRAMIAN = np.array([[2.0, -0.4], [-0.4, 1.0]])
PUBLISHED = Safeguards.published()
seeds = st.integers(0, 2**32 - 1)


def pareto_mtl(safeguards=PUBLISHED, *, phase="main", grid=GRID, **options):
    solver = get_solver("pareto_mtl", preferences=grid, safeguards=safeguards, **options)
    if phase == "main":
        solver.end_initial_phase()
    return solver


def at_angle(row, towards, share=0.9, length=1.0):
    """Losses between the rays of two rows, in the cone of the second."""
    losses = (1 - share) * RAYS[row] + share * RAYS[towards]
    return length * losses / np.linalg.norm(losses)


def test_without_active_constraints_it_is_multiple_gradient_descent():
    weight = (1.0 + 0.4) / (2.0 + 1.0 + 0.8)
    for row in range(10):
        for safeguards in (PUBLISHED, Safeguards()):
            alpha = pareto_mtl(safeguards).weights(RAYS[row], GRAMIAN, GRID[row])
            np.testing.assert_allclose(alpha, [2 * weight, 2 * (1 - weight)])
        np.testing.assert_allclose(
            pareto_mtl(renormalize=False).weights(RAYS[row], GRAMIAN, GRID[row]), [weight, 1 - weight]
        )


@given(seed=seeds)
def test_a_step_lowers_all_objectives_or_steers_back_to_the_ray(seed):
    """The weighted gradient has a non-negative product with every gradient and every violated constraint."""
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(2, 30))
    losses, row = rng.uniform(size=2), rng.integers(10)
    alpha = pareto_mtl(renormalize=False).weights(losses, gradients @ gradients.T, GRID[row])
    step = alpha @ gradients
    violated = [ray - RAYS[row] for ray in RAYS if (ray - RAYS[row]) @ losses > 0]
    for vertex in [*np.eye(2), *violated]:
        assert vertex @ gradients @ step >= step @ step - 1e-9


@given(seed=seeds)
def test_main_phase_weights_sum_to_p_in_absolute_value(seed):
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(2, 30))
    alpha = pareto_mtl().weights(rng.uniform(size=2), gradients @ gradients.T, GRID[rng.integers(10)])
    assert np.abs(alpha).sum() == pytest.approx(2)


def test_initial_phase_moves_along_the_arc_with_one_negative_weight():
    # Losses two cones away, both constraints towards them are active; generative loss too large relative to row 5.
    alpha = pareto_mtl(phase="initial").weights(at_angle(5, 7), GRAMIAN, GRID[5])
    assert alpha[0] > 0 > alpha[1]
    back = pareto_mtl(phase="initial").weights(at_angle(5, 3), GRAMIAN, GRID[5])
    assert back[0] < 0 < back[1]
    # One active constraint is its own shortest combination, and is not scaled up.
    single = pareto_mtl(phase="initial").weights(at_angle(5, 6, 0.6), GRAMIAN, GRID[5])
    np.testing.assert_allclose(single, RAYS[6] - RAYS[5])
    assert np.abs(single).sum() < 0.3


def test_initial_phase_ends_by_itself_and_answers_with_main_phase_weights():
    solver = pareto_mtl(phase="initial")
    assert solver.phase == "initial"
    solver.weights(at_angle(5, 9), GRAMIAN, GRID[5])
    assert solver.phase == "initial"
    alpha = solver.weights(RAYS[5], GRAMIAN, GRID[5])
    assert solver.phase == "main"
    np.testing.assert_array_equal(alpha, pareto_mtl().weights(RAYS[5], GRAMIAN, GRID[5]))
    solver.weights(at_angle(5, 9), GRAMIAN, GRID[5])
    assert solver.phase == "main", "it does not come back"


def test_the_own_constraint_is_excluded():
    # With a tolerance its zero vector would be active and stop every step.
    alpha = pareto_mtl(epsilon=0.003).weights(RAYS[4], GRAMIAN, GRID[4])
    assert np.abs(alpha).sum() == pytest.approx(2)


def test_a_large_epsilon_stalls_between_two_active_neighbours():
    stalling = 1.05 * (1 - np.cos(np.pi / 18))
    np.testing.assert_array_equal(pareto_mtl(epsilon=stalling).weights(RAYS[4], GRAMIAN, GRID[4]), [0, 0])
    assert pareto_mtl(epsilon=0.9 * (1 - np.cos(np.pi / 18))).weights(RAYS[4], GRAMIAN, GRID[4]).all()


def test_negative_losses_are_clipped_for_the_active_set():
    # Unclipped, these losses lie beyond the last ray, and the nuisance would be raised to come back.
    solver = pareto_mtl()
    clipped = solver.weights([0.5, -0.3], GRAMIAN, GRID[9])
    np.testing.assert_array_equal(clipped, solver.weights([0.5, 0.0], GRAMIAN, GRID[9]))
    assert (clipped > 0).all()
    # At the ideal there is nothing to steer.
    assert (solver.weights([-0.1, -0.2], GRAMIAN, GRID[3]) > 0).all()


def test_only_the_direction_of_the_losses_matters_published():
    for length in (1e-9, 1.0, 1e9):
        alpha = pareto_mtl().weights(at_angle(3, 5, length=length), GRAMIAN, GRID[3])
        np.testing.assert_allclose(alpha, pareto_mtl().weights(at_angle(3, 5), GRAMIAN, GRID[3]))


def test_swapping_the_objectives_swaps_the_weights():
    rng = np.random.default_rng(0)
    for _ in range(50):
        gradients, losses, row = rng.normal(size=(2, 5)), rng.uniform(size=2), rng.integers(10)
        gramian = gradients @ gradients.T
        alpha = pareto_mtl().weights(losses, gramian, GRID[row])
        swapped = pareto_mtl().weights(losses[::-1], gramian[::-1, ::-1], GRID[row, ::-1])
        np.testing.assert_allclose(swapped, alpha[::-1], rtol=1e-6)


def test_preference_off_the_grid_replaces_its_nearest_row():
    wanted = 0.7 * GRID[4] + 0.3 * GRID[5]
    ray = preference_rays(wanted[None])[0]
    inside = pareto_mtl().weights(ray, GRAMIAN, wanted)
    np.testing.assert_allclose(inside, pareto_mtl().weights(RAYS[4], GRAMIAN, GRID[4]))
    # In the cone of row 4 on the grid, this is still closest to the ray that took its place.
    np.testing.assert_allclose(pareto_mtl().weights(RAYS[4], GRAMIAN, wanted), inside)
    outside = pareto_mtl(phase="initial").weights(RAYS[5], GRAMIAN, wanted)
    np.testing.assert_allclose(outside, RAYS[5] - ray)


def test_three_objectives_steer_towards_the_ray():
    grid = preference_vectors(12, 3)
    rays = preference_rays(grid)
    gradients = np.random.default_rng(1).normal(size=(3, 40))
    alpha = pareto_mtl(grid=grid, renormalize=False).weights(rays[7], gradients @ gradients.T, grid[2])
    step = alpha @ gradients
    assert (rays[7] - rays[2]) @ gradients @ step >= step @ step - 1e-9 > 0


def test_no_ascent_on_an_objective_that_is_already_bad():
    bad = at_angle(2, 0) * 3  # the nuisance weighs too much, and raising the generative loss steers back cheaply
    aligned = np.array([[1.0, 0.9], [0.9, 1.0]])
    free = pareto_mtl(Safeguards(max_standardised_loss=None)).weights(bad, aligned, GRID[5])
    assert free[0] < 0
    limited = pareto_mtl(Safeguards(max_standardised_loss=bad[0] * 0.9)).weights(bad, aligned, GRID[5])
    assert limited[0] == 0
    assert limited[1] > 0
    above = pareto_mtl(Safeguards(max_standardised_loss=bad[0] * 1.1)).weights(bad, aligned, GRID[5])
    np.testing.assert_array_equal(above, free)
    initial = pareto_mtl(Safeguards(max_standardised_loss=bad[0] * 0.9), phase="initial")
    assert initial.weights(bad, aligned, GRID[5])[0] == 0


def test_amplification_is_capped():
    # Next to the end of the grid with only the end's constraint active, the hull passes closest to the origin:
    # at (0, tan(5 degrees) sin(10 degrees) / (1 + sin(10 degrees))) when the generative gradient dominates.
    losses, gramian = at_angle(1, 0), np.diag([1e12, 1.0])
    raw = pareto_mtl(renormalize=False).weights(losses, gramian, GRID[1])
    np.testing.assert_allclose(2 / np.abs(raw).sum(), 154, atol=1)
    np.testing.assert_allclose(np.abs(pareto_mtl().weights(losses, gramian, GRID[1])).sum(), 2)
    np.testing.assert_allclose(pareto_mtl(Safeguards()).weights(losses, gramian, GRID[1]), 10 * raw)


def test_running_mean_averages_per_preference():
    # Symmetric noise around the ray: the minibatch is outside the cone, the mean is not.
    solver = pareto_mtl(Safeguards(running_mean=0.9))
    quiet = pareto_mtl(Safeguards(running_mean=None)).weights(RAYS[5], GRAMIAN, GRID[5])
    solver.weights(RAYS[5], GRAMIAN, GRID[5])
    np.testing.assert_array_equal(solver.weights(at_angle(5, 7), GRAMIAN, GRID[5]), quiet)
    noisy = pareto_mtl(Safeguards(running_mean=None)).weights(at_angle(5, 7), GRAMIAN, GRID[5])
    assert not np.allclose(noisy, quiet)
    np.testing.assert_allclose(
        solver.state_dict()["running_losses"][5], 0.9 * RAYS[5] + 0.1 * at_angle(5, 7), rtol=1e-12
    )
    # Another preference of the same network starts its own mean.
    np.testing.assert_array_equal(solver.weights(RAYS[2], GRAMIAN, GRID[2]), quiet)
    assert set(solver.state_dict()["running_losses"]) == {2, 5}


def test_unit_constraints_let_the_objectives_take_part():
    # A long step of one short constraint against one of unit length: the objectives' share is larger.
    losses = at_angle(5, 6, 0.6)
    plain = pareto_mtl(renormalize=False).weights(losses, np.eye(2), GRID[5])
    unit = pareto_mtl(dataclasses.replace(PUBLISHED, unit_constraints=True), renormalize=False)
    assert unit.weights(losses, np.eye(2), GRID[5]).sum() > 2 * plain.sum()
    initial = pareto_mtl(dataclasses.replace(PUBLISHED, unit_constraints=True), phase="initial")
    assert np.linalg.norm(initial.weights(losses, np.eye(2), GRID[5])) == pytest.approx(1)


def test_stationary_point_gives_no_step_without_dividing_by_zero():
    alpha = pareto_mtl(epsilon=0.02).weights(RAYS[4], np.zeros((2, 2)), GRID[4])
    assert np.isfinite(alpha).all()


def test_state_survives_as_plain_values_and_continues_equally():
    rng = np.random.default_rng(0)
    solver = get_solver("pareto_mtl", preferences=GRID)
    for _ in range(5):
        solver.weights(rng.uniform(size=2), GRAMIAN, GRID[3])
    state = json.loads(json.dumps(solver.state_dict()))
    resumed = get_solver("pareto_mtl", preferences=GRID)
    resumed.load_state_dict(state)
    assert resumed.phase == solver.phase
    losses = rng.uniform(size=2)
    np.testing.assert_array_equal(resumed.weights(losses, GRAMIAN, GRID[3]), solver.weights(losses, GRAMIAN, GRID[3]))
    fresh = get_solver("pareto_mtl", preferences=GRID)
    fresh.weights(losses, GRAMIAN, GRID[3])
    assert fresh.state_dict() != solver.state_dict()
    with pytest.raises(ValueError, match="'middle'"):
        resumed.load_state_dict({**state, "phase": "middle"})


def test_scalarization_weighs_by_the_preference_and_needs_no_gramian():
    cls = solver_class("scalarization")
    grid = cls.default_preferences(10)
    solver = get_solver("scalarization", preferences=grid)
    assert not cls.needs_gramian
    assert solver.phase == "main"
    np.testing.assert_allclose(grid[:, 1], np.arange(1, 11) / 11)
    for preference in [*grid, [0.0, 1.0]]:
        np.testing.assert_allclose(solver.weights([3.0, -1.0], None, preference), preference)
    np.testing.assert_array_equal(solver_class("pareto_mtl").default_preferences(10), GRID)


def test_merit_is_lowest_where_a_solver_aims():
    angles = np.linspace(0, np.pi / 2, 181)
    concave = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for row in range(1, 9):
        best = min(concave, key=lambda losses, row=row: pareto_mtl().merit(losses, GRID[row]))
        np.testing.assert_allclose(best, RAYS[row], atol=1e-9)
    # The weighted sum has its lowest value at an end of such a front.
    scalarization = get_solver("scalarization", preferences=GRID)
    assert scalarization.merit([2.0, 4.0], [0.75, 0.25]) == pytest.approx(2.5)
    best = min(concave, key=lambda losses: scalarization.merit(losses, [0.6, 0.4]))
    np.testing.assert_allclose(best, [0, 1], atol=1e-9)


def test_published_switches_every_safeguard_off():
    values = dataclasses.asdict(PUBLISHED)
    assert values.pop("unit_constraints") is False
    assert set(values.values()) == {None}


@pytest.mark.parametrize(
    "bad",
    [{"max_amplification": 0}, {"max_standardised_loss": -1}, {"gradient_clip": float("nan")}, {"running_mean": 1.0}]
    + [{"running_mean": -0.1}, {"max_initial_epochs": -1}],
)
def test_bad_safeguards_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Safeguards(**bad)


def test_registry_names_what_it_does_not_know():
    assert {"pareto_mtl", "scalarization"} <= set(solver_names())
    with pytest.raises(ValueError, match=r"'adam'.*'pareto_mtl', 'scalarization'"):
        get_solver("adam", preferences=GRID)
    with pytest.raises(ValueError, match=r"\['eps'\].*'safeguards', 'epsilon', 'renormalize'"):
        get_solver("pareto_mtl", preferences=GRID, eps=0.1)
    with pytest.raises(ValueError, match="epsilon.*-1"):
        get_solver("pareto_mtl", preferences=GRID, epsilon=-1)


def test_a_new_solver_needs_one_class_and_one_line(monkeypatch):
    monkeypatch.setattr("scpareto.pareto._registry._SOLVERS", {})

    @register_solver
    class Uniform(Solver):
        name = "uniform"
        needs_gramian = False

        def _weights(self, losses, gramian, preference):
            return np.full(len(losses), 1 / len(losses))

    assert solver_names() == ["uniform"]
    np.testing.assert_array_equal(get_solver("uniform", preferences=GRID).weights([1, 2], None, GRID[0]), [0.5, 0.5])
    with pytest.raises(ValueError, match="'uniform'"):
        register_solver(Uniform)


@pytest.mark.parametrize(
    ("losses", "gramian", "preference", "message"),
    [
        ([1.0, 2.0, 3.0], GRAMIAN, GRID[0], r"losses.*\(2,\)"),
        ([np.nan, 1.0], GRAMIAN, GRID[0], "losses.*nan"),
        ([1.0, 2.0], np.eye(3), GRID[0], r"gramian.*\(2, 2\)"),
        ([1.0, 2.0], np.full((2, 2), np.inf), GRID[0], "gramian.*inf"),
        ([1.0, 2.0], None, GRID[0], "needs the Gramian"),
        ([1.0, 2.0], GRAMIAN, [0.2, 0.2], "sums to 1"),
        ([1.0, 2.0], GRAMIAN, [0.2, 0.3, 0.5], "2 numbers"),
        ([1.0, 2.0], GRAMIAN, GRID[:2], "one preference"),
    ],
)
def test_bad_input_is_refused(losses, gramian, preference, message):
    with pytest.raises(ValueError, match=message):
        pareto_mtl().weights(losses, gramian, preference)
