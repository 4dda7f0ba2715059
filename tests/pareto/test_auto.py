from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from scpareto.pareto import Front

LEFT = [30.0, 12.0, 5.0, 4.8, 1.0]


def judged_front(*, half_width: float = 1.0, margin: float = 2.0, record=None, **columns: list[float]) -> Front:
    """Front of five points whose paired differences all have intervals of one width."""
    table = {
        "batch_left": LEFT,
        "structure_kept": [90.0, 90.0, 90.0, 89.0, 80.0],
        "alarm": [0.0, 0.0, 0.0, 0.0, 1.0],
        "structure_lost": [0.0, 0.0, 0.0, 0.0, 0.35],
        "structure_lost_most": ["none"] * 4 + ["a: group 1 | group 2: CD3D against MS4A1"],
    } | columns
    table |= {f"{name}_{end}": np.array(table[name]) + sign for name in ("batch_left", "structure_kept")
              for end, sign in (("low", -1), ("high", 1))}  # fmt: skip
    left = np.array(table["batch_left"], dtype=float)
    pairs = [
        (f"point {a}", f"point {b}", left[a] - left[b] - half_width, left[a] - left[b] + half_width)
        for a, b in combinations(range(len(left)), 2)
    ]
    front = Front(
        pd.DataFrame({"point": range(len(left))} | table),
        objectives=["generative_loss", "classifier"],
        metadata={"judged": {"column": "batch_left", "margin": margin, "n_cells": 400} | (record or {})},
        tables={"differences": pd.DataFrame(pairs, columns=["first", "second", "low", "high"])},
    )
    front.refresh()
    return front


def test_takes_the_least_corrected_point_that_is_certainly_as_good_as_the_best_without_alarm():
    # Point 3 has least left of those that are silent; point 2 has .2 more, certainly less than the margin.
    assert judged_front().find("auto") == 2
    assert judged_front(margin=0.5).find("auto") == 3
    assert judged_front(alarm=[0.0] * 5).find("auto") == 4
    assert judged_front(alarm=[np.nan] * 5).find("auto") == 4
    assert judged_front(margin=9.0, half_width=0.1).find("auto") == 1


def test_fewer_cells_do_not_mean_less_correction():
    front = judged_front(half_width=8.0)
    assert front.find("auto") == 3
    assert "Too few cells to decide between it and point 2." in front.explain()


def test_points_that_erased_composition_are_not_taken():
    front = judged_front(composition_erased=[0.0, 0.0, 0.0, 1.0, 1.0], alarm=[0.0] * 5)
    assert front.find("auto") == 2
    assert "Points 3, 4 tell less of the batch than composition alone: composition was erased." in front.explain()


def test_without_a_batch_effect_nothing_is_corrected():
    nothing = {"no_batch_effect": True, "none_at_all": True}
    front = judged_front(batch_left=[np.nan] * 5, record=nothing)
    assert front.recommended == 0
    assert front.explain() == "Point 0. There is no batch effect to remove with 400 cells."
    unsure = judged_front(batch_left=[np.nan] * 5, record=nothing | {"none_at_all": False})
    assert "No batch effect was shown with 400 cells" in unsure.explain()


def test_where_the_judge_says_nothing_the_knee_without_alarm_is_taken_and_the_reason_told():
    losses = {"generative_loss_validation": [1, 1.1, 1.2, 2, 3], "classifier_validation": [3, 1, 0.6, 0.5, 0.4]}
    front = judged_front(batch_left=[np.nan] * 5, **losses)
    with pytest.raises(ValueError, match="needs a judged front"):
        front.find("auto")
    assert front.recommended == front.find("knee") == 2
    assert front.explain().endswith("The knee of the losses is taken instead.")
    alarmed = judged_front(batch_left=[np.nan] * 5, **losses | {"alarm": [0.0, 1.0, 1.0, 1.0, 1.0]})
    assert alarmed.recommended == 0, "no rule takes a point whose alarm rings"
    bare = Front(pd.DataFrame({"point": [2, 3]}), objectives=["generative_loss", "mine"])
    assert bare.recommended == 2
    assert "Point 2, the least corrected one, is taken instead." in bare.explain()


def test_points_that_were_not_judged_are_passed_over():
    assert judged_front(batch_left=[30.0, 12.0, 5.0, np.nan, 1.0]).find("auto") == 2


def test_the_reason_names_the_figures_that_decided():
    told = judged_front().explain()
    assert told.startswith(
        "Point 2 of 5: 5.0 % (95 % interval 4.0 to 6.0) of the batch effect is left, against 30.0 % (95 % interval "
        "29.0 to 31.0) at point 0, the least corrected one. It keeps 90 % of the structure."
    )
    assert (
        "Point 3 has least left of the points without alarm (4.8 %); the difference is certainly below 2.0 %." in told
    )
    assert told.endswith(
        "The over-correction alarm rings at point 4: differences between cells are lost there, most of all a: group 1 "
        "| group 2: CD3D against MS4A1. The front goes from 30 % to 1 % of the batch effect left."
    )
    assert "rings at no point. The front goes" in judged_front(alarm=[0.0] * 5).explain()


def test_another_nuisance_is_named():
    front = judged_front(donor_left=LEFT, batch_left=[np.nan] * 5, record={"column": "donor_left"})
    front.tables.clear()
    assert front.find("auto") == 3
    assert "4.8 % of the donor effect is left" in front.explain()


def test_a_warning_names_genes_where_the_alarm_rings():
    front = judged_front()
    assert front.warning(2) == ""
    assert "rings at point 4" in front.warning(4)
    assert "CD3D against MS4A1" in front.warning(4)
