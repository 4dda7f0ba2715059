from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scpareto.audit import compute_alarm, compute_contrast_losses
from scpareto.audit._alarm import ALARM_AT
from scpareto.audit._alarm import ALARM_WIDTH as WIDTH
from scpareto.metrics import ContrastRetention

ORDER = np.array([0.0, 0.5, 1.0])


def _kept(*pairs: tuple[list[float], list[float]], witnesses: float = 2.0) -> ContrastRetention:
    shown = [(np.array(first), np.array(second)) for first, second in pairs]
    value = np.array([second.mean() - first.mean() if len(first) else np.nan for first, second in shown])
    return ContrastRetention(value, shown, [(witnesses, witnesses)] * len(shown))


def test_hand_computed_loss_against_the_best_less_corrected_point():
    points = [
        _kept(([0.0, 0.0], [0.8, 0.8])),
        _kept(([0.0, 0.0], [0.9, 1.1])),
        _kept(([0.1, 0.3], [0.6, 0.6])),
    ]
    lost = compute_contrast_losses(points, ORDER)[:, 0]
    # Differences to the second point: -.1, -.3 and .3, .5, each of variance .01, of two witnesses.
    margin = 2 * np.sqrt(0.01 / 2 + 0.01 / 2)
    assert lost.tolist() == pytest.approx([0, 0, (1.0 - 0.4 - margin) / 1.0])


def test_the_same_shift_of_all_cells_is_certain_however_different_the_cells_are():
    before = _kept(([0.0, 0.4, -0.4], [1.0, 0.2, 1.8]))
    after = _kept(([0.3, 0.7, -0.1], [1.0, 0.2, 1.8]))
    assert compute_contrast_losses([before, after], [0, 1])[1, 0] == pytest.approx(0.3)


def test_points_of_equal_correction_are_no_reference_for_each_other():
    points = [_kept(([0.0], [v])) for v in (0.9, 0.2, 0.9)]
    assert compute_contrast_losses(points, [0.0, 0.0, 0.0]).max() == 0
    assert compute_contrast_losses(points, [0.0, 0.5, 0.5])[:, 0].tolist() == pytest.approx([0, 7 / 9, 0])


def test_what_was_never_there_or_is_unknown_cannot_be_lost():
    unclear, unknown, gone = ([0.0], [0.3]), ([], []), ([0.0], [0.0])
    points = [_kept(unclear, unknown), _kept(gone, unknown), _kept(gone, unknown)]
    assert compute_contrast_losses(points, ORDER).max() == 0
    assert compute_contrast_losses([_kept(), _kept()], [0, 1]).shape == (2, 0)


@given(seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_losses_are_shares_that_shrink_with_fewer_witnesses(seed):
    rng = np.random.default_rng(seed)
    draws = [[(rng.normal(size=5), 1 + rng.normal(size=5)) for _ in range(3)] for _ in range(4)]
    many, few = ([_kept(*pairs, witnesses=w) for pairs in draws] for w in (1e9, 2.0))
    lost = compute_contrast_losses(many, np.arange(4))
    assert (lost >= 0).all()
    assert (lost <= 1).all()
    assert (lost[0] == 0).all()
    assert (compute_contrast_losses(few, np.arange(4)) <= lost).all()


def test_alarm_values_rise_with_the_largest_loss():
    expected = [0.5, 1 / (1 + np.exp(ALARM_AT / WIDTH)), 1]
    np.testing.assert_allclose(compute_alarm([[ALARM_AT, 0.0], [0.0, 0.0], [0.02, 0.9]]), expected, atol=1e-6)
    assert (np.diff(compute_alarm(np.linspace(0, 0.2, 9)[:, None])) > 0).all()
    assert np.isnan(compute_alarm(np.zeros((2, 0)))).all()


def test_one_correction_is_needed_for_each_point():
    with pytest.raises(ValueError, match=r"shape \(2,\) but there are 1 points"):
        compute_contrast_losses([_kept(([0.0], [1.0]))], [0, 1])
