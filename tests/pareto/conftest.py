"""Problems with a known front, and plain gradient descent on them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scpareto.pareto import get_solver, preference_rays, preference_vectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Problem:
    """Objectives that grow with the distance from a centre each, the centres two apart.

    The front is the hull of the centres: from any other point, the nearest one of the hull is nearer to all centres.
    """

    centres: NDArray[np.float64]
    shape: Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]
    """Losses and their derivatives from squared distances."""
    preferences: NDArray[np.float64]
    exact: NDArray[np.float64]
    """Points of the front on the rays of the preferences."""

    def start(self, rng):
        return rng.uniform(-0.5, 0.5, self.centres.shape[1])

    def losses_and_gradients(self, x):
        distances = x - self.centres
        losses, slopes = self.shape(np.sum(distances**2, axis=1))
        return losses, 2 * slopes[:, None] * distances

    @cached_property
    def front(self):
        """Losses of a dense grid on the hull."""
        p = len(self.centres)
        n_steps = 200 if p == 2 else 40
        counts = np.array([m for m in itertools.product(range(n_steps + 1), repeat=p - 1) if sum(m) <= n_steps])
        mixtures = np.column_stack([counts, n_steps - counts.sum(axis=1)]) / n_steps
        return np.array([self.losses_and_gradients(x)[0] for x in mixtures @ self.centres])

    def excess(self, points):
        """By how much a point of the front beats each point in every objective, shape ``(n,)``."""
        return (points[:, None] - self.front).min(axis=2).max(axis=1)


def bump(squares):
    bumps = np.exp(-squares)
    return 1 - bumps, bumps


def bowl(squares):
    return squares / 4, np.full_like(squares, 0.25)


def _two_objectives(shape, dimension):
    direction = np.full(dimension, 1 / np.sqrt(dimension))
    preferences = preference_vectors(10)
    exact = []
    for ray in preference_rays(preferences):
        low, high = 0.0, 2.0
        for _ in range(60):
            middle = (low + high) / 2
            losses = shape(np.array([middle**2, (2 - middle) ** 2]))[0]
            low, high = (middle, high) if losses[0] * ray[1] < losses[1] * ray[0] else (low, middle)
        exact.append(losses)
    return Problem(np.stack([direction, -direction]), shape, preferences, np.array(exact))


def _three_objectives(shape, dimension):
    """Preferences whose rays meet the front, from points inside the triangle."""
    centres = np.zeros((3, dimension))
    centres[:, :3] = np.sqrt(2) * np.eye(3)
    mixtures = np.array([m for m in itertools.product(range(1, 5), repeat=3) if sum(m) == 6]) / 6
    exact = np.array([shape(np.sum((x - centres) ** 2, axis=1))[0] for x in mixtures @ centres])
    preferences = 1 / exact / (1 / exact).sum(axis=1, keepdims=True)
    return Problem(centres - centres.mean(axis=0), shape, preferences, exact)


PROBLEMS = {
    "convex": _two_objectives(bowl, 5),
    "concave": _two_objectives(bump, 20),  # Lin et al. (2019)
    "three convex": _three_objectives(bowl, 5),
    "three concave": _three_objectives(bump, 5),
}


@pytest.fixture(scope="session")
def problems():
    return PROBLEMS


@pytest.fixture(scope="session")
def descend():
    """Losses of the points of a front, by gradient descent; ``steps`` and ``step`` are dicts of the phases."""

    def descend(method, problem, seed, *, steps, step, preferences=None, **options):
        rng = np.random.default_rng(seed)
        grid = problem.preferences if preferences is None else preferences
        points = []
        for preference in grid:
            solver = get_solver(method, preferences=grid, **options)
            x = problem.start(rng)
            for number in range(steps["initial"] + steps["main"]):
                if number == steps["initial"]:
                    solver.end_initial_phase()
                losses, gradients = problem.losses_and_gradients(x)
                alpha = solver.weights(losses, gradients @ gradients.T, preference)
                x = x - step[solver.phase] * alpha @ gradients
            points.append(problem.losses_and_gradients(x)[0])
        return np.array(points)

    return descend


@pytest.fixture(scope="session")
def angles():
    """Angles between losses and the rays of their preferences, in degrees."""

    def angles(losses, preferences):
        cosines = (losses / np.linalg.norm(losses, axis=1, keepdims=True) * preference_rays(preferences)).sum(axis=1)
        return np.degrees(np.arccos(np.clip(cosines, -1, 1)))

    return angles
