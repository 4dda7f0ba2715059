"""Every solver on convex and concave fronts of two and three objectives whose points are known."""

from __future__ import annotations

import numpy as np
import pytest

from scpareto.pareto import hypervolume, non_dominated, preference_rays, preference_vectors

STEP = {"initial": 0.3, "main": 0.1}
NAMES = ["convex", "concave", "three convex", "three concave"]


@pytest.fixture(scope="module")
def front(problems, descend):
    """Front of a solver on a problem, made once."""
    made = {}

    def front(method, name):
        if (method, name) not in made:
            # Pareto MTL stops wherever the main phase meets the front, so its initial phase must reach the cone.
            steps = {"initial": 100 if method == "pareto_mtl" else 0, "main": 150}
            made[method, name] = descend(method, problems[name], 0, steps=steps, step=STEP)
        return made[method, name]

    return front


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["mgda", "pareto_mtl", "tchebycheff"])
def test_points_are_on_the_front(method, name, front, problems):
    points = front(method, name)
    assert non_dominated(points).mean() >= 0.9
    assert problems[name].excess(points).max() < 0.01


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("method", "mean"), [("pareto_mtl", 6.0), ("tchebycheff", 2.5)])
def test_points_are_near_their_rays(method, mean, name, front, problems, angles):
    assert angles(front(method, name), problems[name].preferences).mean() < mean


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["pareto_mtl", "tchebycheff"])
def test_hypervolume_is_nearly_that_of_the_exact_points(method, name, front, problems):
    # A point of Pareto MTL may be anywhere in its cone, and with three objectives the cones are wide.
    share = 0.9 if (method, name) == ("pareto_mtl", "three concave") else 0.95
    reference = np.full(problems[name].exact.shape[1], 1.001)
    volume = hypervolume(front(method, name), reference)
    assert volume >= share * hypervolume(problems[name].exact, reference)


@pytest.mark.parametrize("name", ["convex", "concave"])
def test_epo_reaches_the_exact_points(name, front, problems, angles):
    problem, points = problems[name], front("epo", name)
    assert non_dominated(points).all()
    # The tolerance on the non-uniformity allows 0.8 degrees.
    assert angles(points, problem.preferences).mean() < 1
    assert np.abs(points - problem.exact).max() < 0.03
    exact = hypervolume(problem.exact, [1.001, 1.001])
    assert hypervolume(points, [1.001, 1.001]) == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("name", ["three convex", "three concave"])
def test_epo_reaches_the_exact_points_of_three_objectives(name, problems, descend, angles):
    problem = problems[name]
    # Some of the preferences, as each step solves a linear program; large steps circle around the ray.
    grid = problem.preferences[::3]
    points = descend("epo", problem, 0, steps={"initial": 0, "main": 150}, step={"main": 0.05}, preferences=grid)
    assert non_dominated(points).all()
    assert angles(points, grid).mean() < 1
    assert problem.excess(points).max() < 0.01
    exact = hypervolume(problem.exact[::3], np.full(3, 1.001))
    assert hypervolume(points, np.full(3, 1.001)) >= 0.95 * exact


def test_the_exact_points_are_on_the_front_and_on_their_rays(problems, angles):
    for problem in problems.values():
        inner = problem.preferences.min(axis=1) > 0
        assert angles(problem.exact[inner], problem.preferences[inner]).max() < 1e-5
        assert problem.excess(problem.exact).max() < 1e-12
    volume = hypervolume(problems["concave"].exact, [1.001, 1.001])
    assert volume == pytest.approx(0.297, abs=5e-4)


def test_mgda_knows_no_preference(problems, descend):
    # The same starts give the same points for other preferences, wherever they are on the front.
    steps, concave = {"initial": 0, "main": 100}, problems["concave"]
    points = descend("mgda", concave, 0, steps=steps, step=STEP)
    other = descend("mgda", concave, 0, steps=steps, step=STEP, preferences=concave.preferences[::-1])
    np.testing.assert_array_equal(points, other)


def test_scalarization_solves_the_convex_front_exactly(problems, descend):
    # On the segment at distances d and 2 - d the weighted sum is least where w1 d = w2 (2 - d).
    grid = preference_vectors(10, kind="interior")
    points = descend(
        "scalarization", problems["convex"], 0, steps={"initial": 0, "main": 150}, step=STEP, preferences=grid
    )
    np.testing.assert_allclose(points, np.stack([grid[:, 1] ** 2, grid[:, 0] ** 2], axis=1), atol=1e-3)


def test_smoothing_trades_aim_for_smoothness(problems, descend, angles):
    concave, steps = problems["concave"], {"initial": 0, "main": 200}
    options = {"steps": steps, "step": {"main": 0.05}}
    errors = [
        angles(descend("tchebycheff", concave, 0, smoothing=s, **options), concave.preferences)[1:-1].mean()
        for s in (0.02, 0.1, 0.3)
    ]
    assert errors[0] < 1 < errors[1] < 4 < errors[2]


def test_ends_of_the_grid_minimise_one_objective(problems, descend):
    for method in ("epo", "tchebycheff"):
        points = descend(
            method,
            problems["convex"],
            0,
            steps={"initial": 0, "main": 200},
            step={"main": 0.1},
            preferences=np.eye(2),
        )
        np.testing.assert_allclose(points, 1 - np.eye(2), atol=1e-3)
    assert (preference_rays(np.eye(2)) == 1 - np.eye(2)).all()
