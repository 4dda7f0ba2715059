"""What the terminal says of a front, on fronts made by hand."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

from scpareto.cli._results import name_points, suggest_place
from scpareto.cli._table import make_table, summarize_alarm
from scpareto.pareto import Front, WeightPath, preference_at

LEFT, KEPT, ALARM = [40.0, 21.0, 3.0, 2.0], [99.0, 98.0, 97.0, 60.0], [0.0, 0.0, 0.0, 1.0]


def judged(*, path=True, left=LEFT, metadata=None):
    """Return a front whose third point is recommended and whose last one has lost types."""
    ends = [{"w": torch.tensor([value])} for value in (0.0, 1.0, 4.0)]
    front = Front(
        objectives=["generative_loss", "classifier"],
        path=WeightPath(ends[0], ends[1:]) if path else None,
        metadata=metadata or {"judged": {"margin": 1.5, "n_cells": 500}},
    )
    for point, place in enumerate((0.0, 0.1, 0.4, 1.0)):
        preference = preference_at([1 - place, place])
        columns = {"batch_left": left[point], "structure_kept": KEPT[point], "alarm": ALARM[point]}
        ends_of = {f"batch_left_{end}": left[point] + shift for end, shift in (("low", -1), ("high", 1))}
        row = {"point": point, "preference_generative_loss": preference[0], "preference_classifier": preference[1]}
        front.add(row | columns | ends_of, None if path else {"w": torch.tensor([place])})
    pairs = [(f"point {i}", f"point {j}") for i in range(4) for j in range(i)]
    differences = pd.DataFrame(pairs, columns=["first", "second"])
    gaps = np.array([left[int(a[-1])] - left[int(b[-1])] for a, b in pairs])
    front.tables = {
        "differences": differences.assign(low=gaps - 0.1, high=gaps + 0.1),
        "lost": pd.DataFrame(
            {
                "contrast": ["b: 1 | 2", "b: 1 | 3"],
                "embedding": ["point 3", "point 3"],
                "lost": [0.4, 0.7],
                "rings": [True, True],
                "markers_first": ["CD4", "CD8A, [TCR]"],
                "markers_second": ["", "MS4A1, CD79A"],
            }
        ),
    }
    if path:
        curve = pd.DataFrame({"place": [0.0, 0.1, 0.4, 1.0], "batch_left": left})
        front.tables["curve"] = curve
    front.refresh()
    return front


def printed(table):
    console = Console(width=80, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_a_line_says_what_is_left_kept_and_lost():
    text = printed(make_table(judged(), 1))
    lines = [line for line in text.splitlines() if line.startswith("│")]
    assert "21 (20 to 22)" in lines[1]
    assert "selected" in lines[1]
    assert "recommended" in lines[2]
    assert "recommended" not in lines[1] + lines[3]
    assert "CD8A, [TCR], MS4A1" in " ".join(lines[3].replace("│", "").split()), "the largest loss first, as it is named"
    assert [line.split("│")[4].strip() for line in lines[:3]] == ["-", "-", "-"]
    assert max(map(len, text.splitlines())) <= 80


def test_what_was_not_judged_is_unknown():
    front = Front(objectives=["generative_loss", "mine"])
    for point, share in enumerate((0.0, 1.0)):
        row = {"point": point, "preference_generative_loss": 1 - share, "preference_mine": share}
        front.add(row, {"w": torch.tensor([share])})
    assert summarize_alarm(front, 0) == "unknown"
    assert printed(make_table(front, 0)).count("unknown") == 6
    assert suggest_place(front) == "preference=0.5"


@pytest.mark.parametrize("path", [True, False])
def test_the_place_to_try_is_reached_and_less_corrected(path):
    front = judged(path=path)
    assert suggest_place(front) == "batch_left=22"  # half way from 40 at point 0 to 3 at the recommended point
    assert front.resolve(batch_left=22).number == 1


def test_a_narrow_front_still_has_a_place_to_try():
    front = judged(left=[0.4, 0.3, 0.2, 0.1])
    assert suggest_place(front) in ("batch_left=0.2", "batch_left=0.3")
    front.resolve(batch_left=0.2)


def test_a_place_to_try_lies_on_the_curve_by_which_it_is_looked_up():
    front = judged()
    front.tables["curve"]["batch_left"] = [15.04, 10.0, 3.0, 2.0]
    assert suggest_place(front) == "batch_left=15"
    front.metadata["on_axis"] = False
    assert suggest_place(front) == "preference=0.5"


def test_the_pictures_show_each_point_once_with_all_that_it_is():
    front = judged()
    strongest = ["strongest", "alarm rings"]
    assert name_points(front, 2) == {0: ["uncorrected"], 2: ["recommended"], 3: strongest}
    assert name_points(front, 0) == {0: ["uncorrected", "selected"], 2: ["recommended"], 3: strongest}
    front.table["alarm"] = 0.0
    assert name_points(front, 2)[3] == ["strongest"]
