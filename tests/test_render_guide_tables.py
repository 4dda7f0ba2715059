"""The tables of the guide say what was measured, and that the rest is missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
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


def test_contrast_errors_are_means_with_the_largest_in_the_order_of_methods(script):
    rows = pd.DataFrame(
        {
            "setting": ["small"] * 4 + ["full"],
            "dataset": ["S0", "S0", "S1", "S0", "S0"],
            "method": ["ratio", "ratio", "ratio", "a", "a"],
            "contrast_rmse": [0.1, 0.3, 0.5, 0.7, 9.0],
        }
    )
    table = script.contrast_errors(rows)
    assert table.columns.tolist() == ["method", "S0", "S1"]
    assert table["method"].tolist() == ["ratio", "a"]
    assert table["S0"].tolist() == ["0.20 (0.30)", "0.70 (0.70)"]
    assert table["S1"].iloc[0] == "0.50 (0.50)"


def test_growth_is_the_mean_of_each_size(script):
    columns = ("cells", "processor_seconds", "matrix_megabytes", "peak_megabytes", "ratio", "memory_ratio")
    measured = [(1000, 1.0, 10, 20, 2.5, 1.0), (1000, 3.0, 10, 30, 3.5, 2.0), (20000, 60.0, 200, 500, np.nan, np.nan)]
    table = script.growth(pd.DataFrame(measured, columns=columns))
    assert table.to_numpy().tolist() == [
        ["1,000", "2", "10", "25", "3.0", "1.5"],
        ["20,000", "60", "200", "500", "", ""],
    ]


def test_a_table_without_measurements_says_so(script, tmp_path):
    paths = script.render_guide_tables(tmp_path, tmp_path / "tables")
    assert [path.stem for path in paths] == list(script.TABLES)
    assert {path.read_text() for path in paths} == {"table\nmissing\n"}


def test_the_committed_measurements_can_be_rendered(script, tmp_path):
    paths = {path.stem: path for path in script.render_guide_tables(SCRIPT.parents[1], tmp_path)}
    objectives, solvers, errors = (
        pd.read_csv(paths[name]) for name in ("objective_cost", "solver_cost", "information_errors")
    )
    assert {"`classifier`", "`mine`", "`mmd`"} <= set(objectives["objective"])
    assert {"`pareto_mtl`", "`scalarization`"} <= set(solvers["solver"])
    assert (
        errors["largest error"] >= errors[["largest below the truth", "largest above the truth"]].abs().max(1)
    ).all()


def test_areas_carry_their_intervals(script):
    rows = pd.DataFrame(
        {
            "designs of": ["new"],
            "signal": ["alarm"],
            "designs": [32],
            "AUROC": [0.876],
            "low": [0.8],
            "high": [0.951],
            "AUROC, types": [0.9],
            "AUROC, states": [0.7],
            "AUROC, erased": [0.88],
        }
    )
    assert script.areas(rows).to_numpy().tolist() == [
        ["new (32)", "alarm", "0.88 (0.80 to 0.95)", "0.90", "0.70", "0.88"]
    ]


def test_gaps_are_counted_by_rule_without_the_best_point_itself(script):
    rows = pd.DataFrame(
        {
            "dataset": ["pbmc", "pbmc", "simulate_batches", "simulate_batches"],
            "rule": ["auto", "best, seeing labels", "auto", "auto"],
            "gap": [0.01, 0.0, 0.02, 0.05],
        }
    )
    assert script.gaps(rows).to_numpy().tolist() == [
        ["real", "auto", 1, "0.010", "0.010", 1],
        ["simulated", "auto", 2, "0.035", "0.050", 1],
    ]


def test_methods_that_a_front_reaches(script):
    rows = pd.DataFrame(
        {
            "dataset": ["a", "a"],
            "plane": ["p", "p"],
            "front": ["paretovi", "paretovi_longer"],
            "points": [14, 14],
            "dominated": [3, 9],
            "within_intervals": [12, 14],
            "not_dominated": ["mnn, harmony", None],
        }
    )
    assert script.dominated(rows).to_numpy().tolist() == [
        ["a", "p", "as in the text", "3 of 14", "12 of 14", "mnn, harmony"],
        ["a", "p", "longer", "9 of 14", "14 of 14", ""],
    ]
