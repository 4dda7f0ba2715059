"""The specification curve: what it counts, and which findings it draws."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

import scpareto.pl as pl

CALLS = {"robust": 40, "fragile": 15, "only beyond the alarm": 5}


@pytest.fixture
def cells():
    """Sixty markers at four points, the last beyond the alarm; robust ones have the larger effects."""
    findings, seen = [], []
    for call, n in CALLS.items():
        for i in range(n):
            gene, effect = f"{call[0]}{i}", (2.0 if call == "robust" else 1.0) + i / 100
            own = {"kind": "markers", "group": "T", "gene": gene}
            findings.append(own | {"call": call, "effect": effect, "effect_low": -effect, "effect_high": effect})
            called = {"robust": [1, 1, 1, 1], "fragile": [1, 0, 0, 0], "only beyond the alarm": [0, 0, 0, 1]}[call]
            seen += [own | {"point": p, "effect": effect, "called": bool(c)} for p, c in enumerate(called)]
    points = pd.DataFrame(
        {
            "point": range(4),
            "batch_left": [40.0, 20.0, 10.0, 5.0],
            "admissible": [True, True, True, False],
            "recommended": [False, True, False, False],
        }
    )
    adata = anndata.AnnData(np.zeros((2, 1), dtype=np.float32))
    record = {"findings": pd.DataFrame(findings), "findings_by_point": pd.DataFrame(seen), "points": points}
    adata.uns["scpareto"] = {"survives": record}
    return adata


def test_bars_count_what_is_called_at_each_point(cells):
    bars, _ = pl.survives(cells)
    heights = [patch.get_height() for patch in bars.patches if patch.get_gid() == "count"]
    assert heights == [40, 40, 40, 40, 15, 0, 0, 0, 0, 0, 0, 5]
    assert bars.get_title(loc="left") == "markers: 40 robust, 15 fragile, 5 only beyond the alarm"


def test_each_call_has_its_share_of_rows_and_the_largest_effects(cells):
    _, rows = pl.survives(cells, n=12)
    names = [label.get_text() for label in rows.get_yticklabels()]
    assert names == [f"r{i}, T" for i in range(39, 31, -1)] + ["f14, T", "f13, T", "f12, T", "o4, T"]
    called = next(c for c in rows.collections if c.get_gid() == "called")
    assert len(called.get_offsets()) == 8 * 4 + 3 + 1
    assert [label.get_text() for label in rows.get_xticklabels()] == ["0\n40", "1\n20", "2\n10", "3\n5"]
    assert [label.get_fontweight() for label in rows.get_xticklabels()].index("bold") == 1


def test_the_ground_is_grey_where_the_alarm_rings(cells):
    bars, rows = pl.survives(cells)
    for ax in (bars, rows):
        spans = [p for p in ax.patches if p.get_gid() != "count"]
        assert [(s.get_x(), s.get_width()) for s in spans] == [(2.5, 1.0)]


def test_what_cannot_be_drawn_is_said(cells, tmp_path):
    with pytest.raises(ValueError, match="No finding of abundance is called at any point; there are markers"):
        pl.survives(cells, kind="abundance")
    with pytest.raises(ValueError, match="kind='genes' is none of 'expression', 'markers', 'abundance'"):
        pl.survives(cells, kind="genes")
    with pytest.raises(KeyError, match="has no 'other': call sp.tl.survives"):
        pl.survives(cells, key="other")
    pl.survives(cells, save=tmp_path / "new" / "curve.svg")
    assert (tmp_path / "new" / "curve.svg").stat().st_size > 1000
