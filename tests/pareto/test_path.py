from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scpareto.pareto import Front, WeightPath, coefficients_at, preference_at, preference_vectors, shares_of

LARGEST_IMPORTANCE = 30 / 31
"""From thirty times the importance of the generative loss on, all is the extreme."""
NAMES = ["generative_loss", "classifier"]


def path():
    start = {"w": torch.tensor([0.0, 1.0]), "seen": torch.tensor(7)}
    return WeightPath(start, [{"w": torch.tensor([6.0, 0.0])}, {"w": torch.tensor([10.0, -1.0])}])


def front():
    made = Front(objectives=NAMES, method="conditional", path=path())
    for number, importance in enumerate([0.0, 0.3, 1.0]):
        row = {"point": number, "kind": "conditional" if 0 < importance < 1 else "extreme"}
        made.add(row | {"preference_generative_loss": 1 - importance, "preference_classifier": importance})
    return made


@pytest.mark.parametrize("p", [2, 3, 4])
def test_the_ends_of_the_path_are_the_extremes(p):
    for corner in np.eye(p):
        np.testing.assert_allclose(shares_of(corner), corner)


def test_the_share_of_the_end_grows_with_its_importance():
    importances = np.linspace(0, 1, 101)
    shares = [shares_of([1 - t, t])[1] for t in importances]
    assert (np.diff(shares[: int(100 * LARGEST_IMPORTANCE)]) > 0).all()
    assert shares_of([1 - LARGEST_IMPORTANCE, LARGEST_IMPORTANCE])[1] == pytest.approx(1)
    # It begins without a jump.
    assert shares_of([1 - 1e-6, 1e-6])[1] < 1e-5


@given(arrays(float, 3, elements=st.floats(1e-3, 1)))
def test_shares_are_a_mixture(numbers):
    shares = shares_of(numbers / numbers.sum())
    assert (shares >= -1e-12).all()
    assert shares.sum() == pytest.approx(1)


@given(st.floats(0, LARGEST_IMPORTANCE))
def test_a_preference_is_found_again_from_its_shares(importance):
    np.testing.assert_allclose(preference_at(shares_of([1 - importance, importance])), [1 - importance, importance])


def test_importances_of_three_objectives_are_found_again():
    for preference in preference_vectors(8, 3, kind="interior"):
        found = preference_at(shares_of(preference))
        if preference[0] > 0.25:  # otherwise the two ends share what is beyond the path
            np.testing.assert_allclose(found, preference, rtol=1e-6)


@pytest.mark.parametrize("p", [2, 3, 4])
def test_coefficients_are_a_mixture_with_the_ends_alone_at_the_ends(p):
    rng = np.random.default_rng(p)
    for shares in rng.dirichlet(np.ones(p), 5):
        coefficients = coefficients_at(shares)
        assert coefficients.shape == (p * (p + 1) // 2,)
        assert (coefficients >= 0).all()
        assert coefficients.sum() == pytest.approx(1)
    for end, corner in enumerate(np.eye(p)):
        of_ends = np.flatnonzero(coefficients_at(corner))
        assert of_ends.tolist() == [(end + 1) * (end + 2) // 2 - 1]


def test_weights_are_a_curve_of_degree_two():
    share = shares_of([0.5, 0.5])[1]
    mixed = path().state([0.5, 0.5])
    first = 12 * share * (1 - share) + 10 * share**2
    torch.testing.assert_close(mixed["w"], torch.tensor([first, (1 - share) ** 2 - share**2], dtype=torch.float32))
    assert mixed["seen"] == 7


def test_a_state_of_a_path_is_a_copy():
    of = path()
    of.state([1.0, 0.0])["w"] += 1
    assert of.state([1.0, 0.0])["w"].tolist() == [0, 1]


def test_a_path_refuses_other_preferences():
    with pytest.raises(ValueError, match="not one of 3 objectives"):
        path().state([0.2, 0.4, 0.4])
    with pytest.raises(ValueError, match="sums to 1"):
        shares_of([0.5, 0.6])


def test_points_of_a_front_lie_on_its_path():
    made = front()
    assert torch.equal(made.state(1)["w"], path().state([0.7, 0.3])["w"])
    assert made.state(2)["w"].tolist() == [10, -1]


def test_a_preference_between_points_is_taken_exactly():
    made = front()
    found = made.resolve(preference=0.37)
    assert found.number == 1
    np.testing.assert_allclose(found.preference, [0.63, 0.37])
    torch.testing.assert_close(found.state["w"], path().state([0.63, 0.37])["w"])
    assert not torch.equal(found.state["w"], made.state(1)["w"])


def test_a_point_may_have_weights_of_its_own():
    made = front()
    refined = {"point": 3, "preference_generative_loss": 0.6, "preference_classifier": 0.4}
    made.add(refined, {"w": torch.tensor([5.0, 5.0])})
    assert made.state(3)["w"].tolist() == [5, 5]
    # Its place is the point, not what the path has there.
    assert made.resolve(preference=0.4).state["w"].tolist() == [5, 5]


def test_a_path_survives_as_plain_values_and_in_a_part_of_the_front():
    made = front()
    for other in (Front.from_plain(made.to_plain()), made.only([0, 2])):
        assert torch.equal(other.state(2)["w"], made.state(2)["w"])
        there, here = (front.resolve(preference=0.5) for front in (other, made))
        assert torch.equal(there.state["w"], here.state["w"])


def test_fronts_saved_before_there_were_paths_load():
    plain = front().to_plain()
    del plain["path"]
    assert Front.from_plain(plain).path is None
