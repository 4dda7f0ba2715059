from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scpareto.pareto import Scaler, get_scaler, scaler_names

ANCHORS = [[330.0, 1.5], [345.0, 0.02]]


def test_payoff_sends_the_ideal_to_zero_and_the_nadir_to_one():
    scaler = get_scaler("payoff")(ANCHORS)
    np.testing.assert_allclose(scaler.scale(np.array(ANCHORS)), [[0, 1], [1, 0]])
    np.testing.assert_allclose(scaler.scale(np.array([337.5, 3.0])), [0.5, 2.98 / 1.48])
    np.testing.assert_allclose(scaler.range, [15, 1.48])


def test_floor_lowers_the_ideal_but_never_raises_it():
    np.testing.assert_allclose(Scaler.payoff(ANCHORS, floor=[None, 0.0]).minimum, [330, 0])
    np.testing.assert_allclose(Scaler.payoff([[330, 1.5], [345, -0.1]], floor=[None, 0.0]).minimum, [330, -0.1])


def test_ranges_below_the_least_are_widened_at_the_worst_end():
    scaler = Scaler.payoff(ANCHORS, least_range=[40.0, 0.1])
    np.testing.assert_allclose(scaler.range, [40, 1.48])
    np.testing.assert_allclose(scaler.minimum, Scaler.payoff(ANCHORS).minimum)
    np.testing.assert_allclose(Scaler.payoff(ANCHORS, least_range=[14.0, 1.4]).range, [15, 1.48])


def test_objectives_that_do_not_vary_are_told_and_stay_finite():
    with pytest.warns(UserWarning, match="objective 1 range over 0 "):
        flat = Scaler.payoff([[330.0, 0.5], [345.0, 0.5]])
    assert np.isfinite(flat.scale(np.array([340.0, 0.6]))).all()
    with pytest.warns(UserWarning, match="objective 0"):
        assert Scaler.payoff([[1e9, 0.5], [1e9, 0.0]]).range[0] > 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Scaler.payoff([[330.0, 0.5], [330.0, 0.0]], least_range=[1.0, 0.0])


def test_trajectory_takes_the_extremes_of_the_minibatches():
    losses = np.array([[10.0, 0.3], [30.0, -0.1], [20.0, 0.1]])
    scaler = get_scaler("trajectory")(losses)
    np.testing.assert_allclose(scaler.scale(losses), [[0, 1], [1, 0], [0.5, 0.5]])
    assert scaler.scale(np.array([40.0, -0.3])).tolist() == pytest.approx([1.5, -0.5]), "no clipping"


def test_identity_changes_nothing():
    losses = np.array([3.0, -4.0, 7.0])
    np.testing.assert_array_equal(get_scaler("none")(3).scale(losses), losses)


def test_tensors_keep_type_and_gradient():
    losses = torch.tensor([340.0, 0.5], requires_grad=True)
    scaler = Scaler.payoff(ANCHORS)
    scaled = scaler.scale(losses)
    assert scaled.dtype == torch.float32
    np.testing.assert_allclose(scaled.detach(), scaler.scale(np.array([340.0, 0.5])), rtol=1e-6)
    scaled.sum().backward()
    np.testing.assert_allclose(losses.grad, 1 / scaler.range, rtol=1e-6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), st.floats(0.1, 1e6))
def test_plain_values_rebuild_it_exactly(minimum, extent):
    scaler = Scaler("payoff", minimum, np.array(minimum) + extent)
    plain = scaler.to_plain()
    assert {type(value) for value in plain["minimum"]} == {float}
    again = Scaler.from_plain(plain)
    assert again.name == "payoff"
    np.testing.assert_array_equal(again.minimum, scaler.minimum)
    np.testing.assert_array_equal(again.maximum, scaler.maximum)


def test_what_cannot_be_scaled_is_refused():
    with pytest.raises(ValueError, match=r"'robust'.*'none', 'payoff', 'trajectory'"):
        get_scaler("robust")
    assert scaler_names() == ["none", "payoff", "trajectory"]
    with pytest.raises(ValueError, match="exceed"):
        Scaler("payoff", [0.0, 1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="one shape"):
        Scaler("payoff", [0.0, 1.0], [1.0])
    with pytest.raises(ValueError, match="losses_of_anchors"):
        Scaler.payoff([[1.0, np.nan], [0.0, 1.0]])
    with pytest.raises(ValueError, match="minibatch_losses"):
        Scaler.trajectory(np.empty((0, 2)))


def test_a_trajectory_that_is_rounding_is_told_and_not_stretched():
    losses = np.array([[310.0, 2e-7], [330.0, -2.3e-7], [320.0, 1e-8]])
    with pytest.warns(UserWarning, match=r"losses of mine range over 4.3e-07 only, which is rounding.*critic_warmup"):
        scaler = Scaler.trajectory(losses, names=["generative_loss", "mine"])
    assert scaler.range.tolist() == [20, 1]
    assert np.abs(scaler.scale(losses)[:, 1]).max() < 1e-6
    assert scaler.scale(np.array([310.0, 0.5]))[1] == pytest.approx(0.5)
    with pytest.warns(UserWarning, match="objective 0"):
        assert Scaler.trajectory([[500.0, 0.1], [500.001, 0.2]]).range[0] == pytest.approx(500)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Scaler.trajectory([[310.0, 1e-3], [330.0, 2e-3]]).range[1] == pytest.approx(1e-3)
