"""The synthetic problem of Lin et al. (2019), whose front is concave, as they ran it."""

from __future__ import annotations

import numpy as np
import pytest

from scpareto.pareto import Safeguards, hypervolume, non_dominated, number_of_distinct_choices, solver_class

SEEDS = range(6)
PUBLISHED = {"steps": {"initial": 20, "main": 80}, "step": {"initial": 1.0, "main": 0.5}}


@pytest.fixture(scope="module", params=["default", "published"])
def pareto_mtl_fronts(request, problems, descend):
    safeguards = Safeguards() if request.param == "default" else Safeguards.published()
    return [descend("pareto_mtl", problems["concave"], seed, safeguards=safeguards, **PUBLISHED) for seed in SEEDS]


def test_points_end_at_their_rays(pareto_mtl_fronts, problems, angles):
    assert np.mean([angles(front, problems["concave"].preferences) for front in pareto_mtl_fronts]) < 6


def test_points_cover_the_concave_front(pareto_mtl_fronts):
    shares = [non_dominated(front).mean() for front in pareto_mtl_fronts]
    choices = [number_of_distinct_choices(front, 0.05) for front in pareto_mtl_fronts]
    volumes = [hypervolume(front, [1.001, 1.001]) for front in pareto_mtl_fronts]
    assert np.mean(shares) >= 0.95
    assert np.mean(choices) >= 9
    assert np.mean(volumes) > 0.27


def test_scalarization_reaches_only_the_ends(problems, descend):
    grid = solver_class("scalarization").default_preferences(10)
    fronts = [descend("scalarization", problems["concave"], seed, preferences=grid, **PUBLISHED) for seed in SEEDS]
    assert np.mean([number_of_distinct_choices(front, 0.05) for front in fronts]) <= 3
    assert np.mean([hypervolume(front, [1.001, 1.001]) for front in fronts]) < 0.1
