from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scpareto.pareto import Front


def _front(value, half_width):
    value, half_width = np.asarray(value, dtype=float), np.asarray(half_width, dtype=float)
    table = pd.DataFrame({"point": range(len(value)), "leakage_mean": value})
    table["leakage_mean_low"], table["leakage_mean_high"] = value - half_width, value + half_width
    return Front(table, objectives=["generative_loss", "mine"])


def falling_steps(value, half_width):
    return _front(value, half_width).steps("leakage_mean")


def test_the_longest_chain_wins_over_the_steepest():
    assert falling_steps([1.0, 0.1, 0.8, 0.6, 0.4], [0.05] * 5) == [0, 2, 3, 4]


def test_of_equal_lengths_the_one_that_falls_farthest():
    assert falling_steps([0.5, 0.7, 0.3, 0.2], [0.1] * 4) == [1, 3]


def test_what_chance_explains_is_no_step():
    # The bound is hypot(.03, .04) = .05.
    assert falling_steps([0.30, 0.26], [0.03, 0.04]) == [0]
    assert falling_steps([0.32, 0.26], [0.03, 0.04]) == [0, 1]
    assert falling_steps([np.nan, 0.2], [0.1, 0.1]) == [1]
    assert falling_steps([], []) == []


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0.01, 0.3)), max_size=12))
@settings(deadline=None)
def test_steps_rise_in_number_and_fall_in_value(pairs):
    value, half = [v for v, _ in pairs], [h for _, h in pairs]
    steps = falling_steps(value, half)
    assert steps == sorted(set(steps))
    assert all(value[i] - value[j] > np.hypot(half[i], half[j]) for i, j in zip(steps, steps[1:], strict=False))


def test_a_front_names_its_steps_and_can_be_cut_down_to_them():
    front = _front([0.5, 0.49, 0.2, 0.22, 0.05], [0.05] * 5)
    assert front.steps("leakage_mean") == [0, 2, 4]
    fewer = front.only(front.steps("leakage_mean"))
    assert fewer.numbers == [0, 2, 4]
    assert fewer.to_dataframe()["leakage_mean"].tolist() == [0.5, 0.2, 0.05]
    with pytest.raises(KeyError, match=r"no column 'retention'; columns with intervals are \['batch_left"):
        front.steps("retention")
    with pytest.raises(ValueError, match="no point 9"):
        front.only([0, 9])
