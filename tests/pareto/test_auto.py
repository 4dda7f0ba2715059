from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scpareto.pareto import Front


def _front(**columns: list[float]) -> Front:
    table = {
        "leakage_mean": [0.60, 0.20, 0.06, 0.05, 0.01],
        "leakage_mean_low": [0.50, 0.15, 0.03, 0.02, -0.02],
        "leakage_mean_high": [0.70, 0.25, 0.09, 0.08, 0.04],
        "retention": [0.40, 0.41, 0.39, 0.38, 0.30],
        "alarm": [0.05, 0.05, 0.05, 0.20, 0.90],
        "structure_lost": [0.0, 0.0, 0.0, 0.02, 0.35],
    } | columns
    return Front(pd.DataFrame({"point": range(5)} | table), objectives=["generative_loss", "classifier"])


def test_takes_the_least_leaking_point_without_alarm():
    assert _front().find("auto") == 3
    assert _front(leakage_mean=[0.6, 0.2, 0.04, 0.05, 0.01]).find("auto") == 2
    assert _front(alarm=[0.05] * 5).find("auto") == 4
    assert _front(alarm=[np.nan] * 5).find("auto") == 4


def test_where_every_point_rings_the_least_alarm_decides():
    assert _front(alarm=[0.9, 0.8, 0.6, 0.7, 0.99]).find("auto") == 2


def test_points_that_were_not_judged_are_passed_over():
    leakage = [0.60, 0.20, 0.06, np.nan, 0.01]
    assert _front(leakage_mean=leakage).find("auto") == 2
    with pytest.raises(ValueError, match="needs an audited front"):
        _front(leakage_mean=[np.nan] * 5).find("auto")


def test_the_reason_names_the_figures_that_decided():
    told = _front().explain()
    assert told.startswith(
        "Point 3 of 5. Its posterior means tell 0.05 (95 % interval 0.02 to 0.08) nats about the nuisance, against 0.60"
    )
    assert "Point 4 left out: the over-correction alarm rings" in told
    assert "(up to 35%)" in told
    assert told.endswith("it leaks least. Within its interval, point 2 cannot be told from it.")
    quiet = _front(alarm=[0.05] * 5).explain()
    assert quiet.endswith("rings at no point. Of the points without alarm it leaks least.")


def test_where_no_correction_leaks_less_the_reason_says_so():
    told = _front(leakage_mean=[0.01, 0.20, 0.06, 0.05, 0.30]).explain()
    assert told.startswith("Point 0 of 5. Its posterior means tell 0.01")
    assert "nuisance: it is the least corrected one, and none of the others without alarm leaks less." in told
    assert "it leaks least" not in told
