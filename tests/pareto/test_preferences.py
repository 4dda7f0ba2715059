from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scpareto.pareto import preference_rays, preference_vectors


def test_equal_angle_is_the_published_grid_from_uncorrected_to_strongest():
    preferences = preference_vectors(10)
    assert preferences[0].tolist() == [1.0, 0.0]
    assert preferences[-1].tolist() == [0.0, 1.0]
    angles = np.arange(10) * np.pi / 18  # published order: strongest correction first
    published = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    np.testing.assert_allclose(preference_rays(preferences), published[::-1], atol=1e-12)


def test_interior_is_the_published_scalarisation_grid():
    np.testing.assert_allclose(preference_vectors(10, kind="interior")[:, 1], np.arange(1, 11) / 11)


@given(n_points=st.integers(2, 40), kind=st.sampled_from(["equal_angle", "interior"]))
def test_two_objectives_lie_on_the_simplex_in_strict_order(n_points, kind):
    preferences = preference_vectors(n_points, kind=kind)
    assert preferences.shape == (n_points, 2)
    np.testing.assert_allclose(preferences.sum(axis=1), 1)
    assert (np.diff(preferences[:, 0]) < 0).all()
    np.testing.assert_allclose(preferences, preferences[::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize("kind", ["equal_angle", "interior"])
@pytest.mark.parametrize(("n_points", "n_objectives"), [(12, 3), (5, 4)])
def test_more_objectives_have_distinct_inner_preferences_and_rays(kind, n_points, n_objectives):
    preferences = preference_vectors(n_points, n_objectives, kind)
    assert preferences.shape == (n_points, n_objectives)
    np.testing.assert_allclose(preferences.sum(axis=1), 1)
    assert preferences.min() > 0
    assert (np.diff(preferences[:, 0]) < 1e-9).all()
    rays = preference_rays(preferences)
    cosines = rays @ rays.T - np.eye(n_points)
    assert np.degrees(np.arccos(cosines.max())) > 3
    np.testing.assert_array_equal(preferences, preference_vectors(n_points, n_objectives, kind))


def test_rays_are_inverse_preferences_and_zeros_are_limits():
    rays = preference_rays([[1, 0], [0, 1], [0.8, 0.2]])
    np.testing.assert_allclose(rays, [[0, 1], [1, 0], [1 / np.sqrt(17), 4 / np.sqrt(17)]])
    np.testing.assert_allclose(preference_rays([[1, 0, 0], [0.5, 0.5, 0]]), [[0, 0.5**0.5, 0.5**0.5], [0, 0, 1]])
    tiny = 1e-9
    np.testing.assert_allclose(preference_rays([[1 - 2 * tiny, tiny, tiny]]), [[0, 0.5**0.5, 0.5**0.5]], atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_points": 1}, "got 1"),
        ({"n_points": 0}, "got 0"),
        ({"n_points": 3, "n_objectives": 1}, "got 1"),
        ({"n_points": 2, "n_objectives": 3}, "got 2"),
        ({"n_points": 3, "kind": "uneven"}, "'uneven'.*equal_angle.*interior"),
    ],
)
def test_bad_grids_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        preference_vectors(**arguments)


@pytest.mark.parametrize("bad", [[[0.5, 0.6]], [[1.5, -0.5]], [[np.nan, 1.0]], [0.5, 0.5], [[1.0]]])
def test_bad_preferences_are_refused(bad):
    with pytest.raises(ValueError, match="[Pp]reference"):
        preference_rays(bad)
