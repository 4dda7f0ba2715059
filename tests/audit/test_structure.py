from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scpareto.audit import StructureJudge, set_alarm
from scpareto.pareto import Front


@pytest.fixture(scope="module")
def cells():
    """Two batches of 150 cells: two shared types, and one that only the first has."""
    rng = np.random.default_rng(0)
    batch = np.repeat(["a", "b"], 150)
    kind = np.r_[np.repeat([0, 1, 2], 50), np.repeat([0, 1], 75)]
    x = np.array([[0.0, 0.0], [14.0, 0.0], [0.0, 8.0]])[kind] + rng.standard_normal((300, 2))
    return x, batch, kind


def _front(n: int) -> Front:
    names = ["generative_loss", "classifier"]
    share = np.linspace(0, 1, n)
    rows = {"point": range(n), "preference_generative_loss": 1 - share, "preference_classifier": share}
    return Front(pd.DataFrame(rows), objectives=names)


def test_the_point_that_merges_the_unique_type_is_alarmed_and_the_others_are_not(cells):
    x, batch, kind = cells
    test = np.arange(0, 300, 2)
    structure = StructureJudge(x, batch, test)
    merged = x.copy()
    merged[kind == 2] -= [0, 8]
    noisy = x + 0.2 * np.random.default_rng(1).standard_normal(x.shape)
    front = _front(3)
    set_alarm(front, {0: structure(x), 1: structure(noisy), 2: structure(merged)})
    table = front.to_dataframe()
    assert (table["alarm"][:2] < 0.5).all()
    assert table["alarm"][2] > 0.99
    assert table["structure_lost"][2] > 0.2
    assert table["structure_lost_most"][0] == "none"
    assert table["structure_lost"][1] < 0.1
    assert table["structure_lost_most"][2].startswith("a: ")


def test_positive_controls_are_watched_by_name(cells):
    x, batch, kind = cells
    # A gene of batch b alone: no difference within a batch shows it.
    gene = 3.0 * (batch == "b") + 0.1 * np.random.default_rng(2).standard_normal(300)
    apart = np.hstack([x, 20.0 * (batch == "b")[:, None]])
    structure = StructureJudge(x, batch, np.arange(300), control_genes={"XIST": gene})
    assert structure.names[-1] == "XIST"
    front = _front(2)
    set_alarm(front, {0: structure(apart), 1: structure(x)})
    table = front.to_dataframe()
    assert table["structure_lost_most"].tolist() == ["none", "XIST"]
    assert table["alarm"][1] > 0.99
    without = _front(2)
    plain = StructureJudge(x, batch, np.arange(300))
    set_alarm(without, {0: plain(apart), 1: plain(x)})
    assert without.to_dataframe()["alarm"][1] < 0.5


def test_fronts_without_structure_have_no_alarm():
    front = _front(2)
    set_alarm(front, {})
    assert front.to_dataframe()["alarm"].isna().all()
    rng = np.random.default_rng(0)
    tiny = StructureJudge(rng.standard_normal((12, 2)), ["a"] * 12, np.arange(12))
    assert tiny.names == []
    set_alarm(front, {0: tiny(np.ones((12, 2))), 1: tiny(np.ones((12, 2)))})
    table = front.to_dataframe()
    assert table["alarm"].isna().all()
    assert table["structure_lost_most"].tolist() == ["none", "none"]
