"""The tables of the guide say what was measured, and that the rest is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "render_guide_tables.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("render_guide_tables", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_costs_are_medians_with_their_range_cheapest_first(script):
    rows = pd.DataFrame(
        {
            "objective": ["a", "a", "a", "b", "b"],
            "solver": ["x", "x", "x", "x", "y"],
            "ratio": [2.0, 9.0, 3.0, 1.5, 0.1],
        }
    )
    table = script.costs(rows, "objective", {"solver": "x"})
    assert table.to_numpy().tolist() == [["`b`", "1.50", "1.50 to 1.50"], ["`a`", "3.00", "2.00 to 9.00"]]


def test_errors_are_the_largest_over_cases_and_seeds(script):
    rows = pd.DataFrame(
        {
            "setting": "small",
            "estimator": ["a", "a", "b", "b"],
            "truth": [0.0, 1.0, 0.0, 1.0],
            "estimate": [0.01, 0.8, -0.002, 0.9],
        }
    )
    assert script.errors(rows).to_numpy().tolist() == [
        ["b", "0.100", "-0.100", "0.000", "-0.002"],
        ["a", "0.200", "-0.200", "0.010", "0.010"],
    ]
    full = rows.assign(setting="full", estimate=rows["truth"] + 0.5)
    table = script.errors(pd.concat([rows, full], ignore_index=True))
    assert table["largest error"].tolist() == ["0.500", "0.500"]


def test_a_table_without_measurements_says_so(script, tmp_path):
    paths = script.render_guide_tables(tmp_path, tmp_path / "tables")
    assert [path.stem for path in paths] == list(script.TABLES)
    assert {path.read_text() for path in paths} == {"table\nmissing\n"}


def test_the_committed_measurements_can_be_rendered(script, tmp_path):
    objectives, solvers, errors = map(pd.read_csv, script.render_guide_tables(SCRIPT.parents[1], tmp_path))
    assert {"`classifier`", "`mine`", "`mmd`"} <= set(objectives["objective"])
    assert {"`pareto_mtl`", "`scalarization`"} <= set(solvers["solver"])
    assert (
        errors["largest error"] >= errors[["largest below the truth", "largest above the truth"]].abs().max(1)
    ).all()
