from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scpareto.audit import alarm, contrast_lost

ORDER = np.array([0.0, 0.5, 1.0])


def test_hand_computed_loss():
    value = np.array([[0.8, 0.9], [1.0, 0.9], [0.5, 0.1]])
    error = np.full((3, 2), 0.1)
    lost = contrast_lost(value, error, ORDER)
    margin = 1.28 * np.sqrt(0.02)
    expected = [[0, 0], [0, 0], [(1.0 - 0.5 - margin) / 1.0, (0.9 - 0.1 - margin) / 0.9]]
    np.testing.assert_allclose(lost, expected)


def test_points_of_equal_correction_are_no_reference_for_each_other():
    value, error = np.array([[0.9], [0.2], [0.9]]), np.zeros((3, 1))
    assert contrast_lost(value, error, [0.0, 0.0, 0.0]).max() == 0
    assert contrast_lost(value, error, [0.0, 0.5, 0.5])[:, 0].tolist() == pytest.approx([0, 7 / 9, 0])


def test_what_was_never_there_or_is_unknown_cannot_be_lost():
    value = np.array([[0.3, np.nan, 0.9], [0.0, 0.0, np.nan], [0.0, 0.0, 0.9]])
    error = np.where(np.isnan(value), np.nan, 0.0)
    assert contrast_lost(value, error, ORDER).max() == 0


@given(
    value=hnp.arrays(float, (4, 3), elements=st.floats(-0.5, 1.5)),
    error=hnp.arrays(float, (4, 3), elements=st.floats(0, 0.3)),
)
@settings(max_examples=50, deadline=None)
def test_losses_are_shares_and_alarms_rise_with_them(value, error):
    lost = contrast_lost(value, error, np.arange(4))
    assert (lost >= 0).all()
    assert (lost <= 1).all()
    assert (lost[0] == 0).all()
    assert (lost <= contrast_lost(value, 0 * error, np.arange(4)) + 1e-12).all()
    alarms, largest = alarm(lost), lost.max(axis=1)
    assert ((alarms > 0) & (alarms < 1 + 1e-12)).all()
    order = np.argsort(largest)
    assert (np.diff(alarms[order]) >= 0).all()


def test_alarm_values():
    np.testing.assert_allclose(alarm([[0.06, 0.0], [0.0, 0.0], [0.02, 0.5]]), [0.5, 1 / (1 + np.exp(3)), 1], atol=1e-6)
    assert np.isnan(alarm(np.zeros((2, 0)))).all()


def test_shapes_that_disagree_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 2\), \(2, 2\)"):
        contrast_lost(np.ones((3, 2)), np.ones((2, 2)), np.ones(3))
