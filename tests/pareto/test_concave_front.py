"""The synthetic problem of Lin et al. (2019), whose front is concave."""

from __future__ import annotations

import numpy as np
import pytest

from scpareto.pareto import (
    Safeguards,
    get_solver,
    hypervolume,
    non_dominated,
    number_of_distinct_choices,
    preference_rays,
    solver_class,
)

DIMENSION, N_POINTS, SEEDS = 20, 10, range(6)
INITIAL_STEPS, MAIN_STEPS = 20, 80
STEP = {"initial": 1.0, "main": 0.5}


def losses_and_gradients(x):
    distances = np.stack([x - 1 / np.sqrt(DIMENSION), x + 1 / np.sqrt(DIMENSION)])
    bumps = np.exp(-np.sum(distances**2, axis=1))
    return 1 - bumps, 2 * bumps[:, None] * distances


def train(method, seed, **options):
    """Losses of all points of a front, by plain gradient descent."""
    rng = np.random.default_rng(seed)
    grid = solver_class(method).default_preferences(N_POINTS)
    points = []
    for preference in grid:
        solver = get_solver(method, preferences=grid, **options)
        x = rng.uniform(-0.5, 0.5, DIMENSION)
        for step in range(INITIAL_STEPS + MAIN_STEPS):
            if step == INITIAL_STEPS:
                solver.end_initial_phase()
            losses, gradients = losses_and_gradients(x)
            alpha = solver.weights(losses, gradients @ gradients.T, preference)
            x = x - STEP[solver.phase] * alpha @ gradients
        points.append(losses_and_gradients(x)[0])
    return np.array(points)


@pytest.fixture(scope="module", params=["default", "published"])
def pareto_mtl_fronts(request):
    safeguards = Safeguards() if request.param == "default" else Safeguards.published()
    return [train("pareto_mtl", seed, safeguards=safeguards) for seed in SEEDS]


def test_points_end_at_their_rays(pareto_mtl_fronts):
    rays = preference_rays(solver_class("pareto_mtl").default_preferences(N_POINTS))
    cosines = [(front / np.linalg.norm(front, axis=1, keepdims=True) * rays).sum(axis=1) for front in pareto_mtl_fronts]
    assert np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean() < 6


def test_points_cover_the_concave_front(pareto_mtl_fronts):
    shares = [non_dominated(front).mean() for front in pareto_mtl_fronts]
    choices = [number_of_distinct_choices(front, 0.05) for front in pareto_mtl_fronts]
    volumes = [hypervolume(front, [1.001, 1.001]) for front in pareto_mtl_fronts]
    assert np.mean(shares) >= 0.95
    assert np.mean(choices) >= 9
    assert np.mean(volumes) > 0.27


def test_scalarization_reaches_only_the_ends():
    fronts = [train("scalarization", seed) for seed in SEEDS]
    assert np.mean([number_of_distinct_choices(front, 0.05) for front in fronts]) <= 3
    assert np.mean([hypervolume(front, [1.001, 1.001]) for front in fronts]) < 0.1
