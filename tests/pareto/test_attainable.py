"""From where to where a front goes, in numbers and in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from scpareto.pareto import Front, attainable_range, range_in_words


def front(*, left=(40.0, 12.4, 3.0), kept_high=98.0, with_weights=True, objectives=("generative_loss", "mmd"), **known):
    rows = {"batch_left": left, "structure_kept": 96.0, "structure_kept_high": kept_high}
    states = {point: {"w": torch.zeros(1)} for point in range(len(left))} if with_weights else {}
    table = pd.DataFrame({"point": range(len(left))} | rows)
    return Front(table, states, list(objectives), metadata=known)


def test_the_range_is_that_of_the_points_and_unknown_ones_are_left_out():
    assert attainable_range(front()) == (40.0, 3.0)
    assert attainable_range(front(left=(12.0, np.nan, 40.0))) == (40.0, 12.0)


@pytest.mark.parametrize(
    "other",
    [
        {"objectives": ("generative_loss", "a", "b")},
        {"on_axis": False},
        {"judged": {"column": "donor_left"}},
        {"left": (np.nan, np.nan)},
    ],
)
def test_other_axes_have_no_range(other):
    assert attainable_range(front(**other)) is None
    assert range_in_words(front(**other)) == ""


def test_the_first_point_is_said_to_cost_nothing_only_where_its_interval_reaches_all_of_the_structure():
    told = range_in_words(front())
    assert told == (
        "The front goes from 40 % to 3 % of the batch effect left: point 0 is the model alone, whose decoder already "
        "sees the batch; it keeps 96 % of the structure."
    )
    assert range_in_words(front(kept_high=100.2)).endswith("; that costs nothing that can be measured.")
    assert range_in_words(front(kept_high=np.nan)).endswith("already sees the batch.")


def test_codes_of_no_model_are_not_called_one():
    assert range_in_words(front(with_weights=False)) == "The front goes from 40 % to 3 % of the batch effect left."


def test_a_narrow_range_has_digits_and_no_batch_effect_has_no_range():
    assert "from 3.4 % to 3.1 %" in range_in_words(front(left=(3.4, 3.1)))
    assert range_in_words(front(judged={"no_batch_effect": True})) == ""
