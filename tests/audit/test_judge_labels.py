from __future__ import annotations

import numpy as np
import pytest

from scpareto.audit import LabelJudge
from scpareto.metrics import clustering_scores, silhouette


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    kind, batch = np.arange(400) % 4, rng.integers(2, size=400)
    corrected = 6 * np.eye(4)[kind] + rng.standard_normal((400, 4))
    return corrected + 5 * batch[:, None], corrected, kind, batch, rng.permutation(400)[:200]


def test_columns_are_those_of_the_metrics_on_test_cells(cells):
    uncorrected, corrected, kind, batch, test = cells
    row = LabelJudge(kind, batch, test, uncorrected, scib=False)(corrected)
    assert set(row) == {"nmi", "ari", "uca", "silhouette"}
    expected = clustering_scores(corrected[test], kind[test].astype(str), n_init=20)
    assert (row["nmi"], row["ari"], row["uca"]) == (expected.nmi, expected.ari, expected.uca)
    assert row["silhouette"] == silhouette(corrected[test], kind[test])


def test_scores_of_scib_metrics_prefer_what_mixes_batches_and_keeps_types(cells):
    pytest.importorskip("scib_metrics")
    uncorrected, corrected, kind, batch, test = cells
    judge = LabelJudge(kind, batch, test, uncorrected)
    before, after = judge(uncorrected), judge(corrected)
    assert {"scib_bio", "scib_batch", "scib_total", "scib_ilisi_knn", "scib_pcr_comparison"} <= set(after)
    assert after["scib_total"] == pytest.approx(0.6 * after["scib_bio"] + 0.4 * after["scib_batch"])
    assert after["scib_batch"] > before["scib_batch"] + 0.2
    assert all(np.isfinite(list(after.values())))


def test_cells_without_a_label_are_left_out(cells):
    uncorrected, corrected, kind, batch, test = cells
    some = kind.astype(object)
    some[::2] = None
    named = np.setdiff1d(test, np.arange(0, 400, 2))
    row = LabelJudge(some, batch, test, uncorrected, scib=False)(corrected)
    assert row == pytest.approx(LabelJudge(kind, batch, named, uncorrected, scib=False)(corrected))


def test_too_few_labels_are_refused(cells):
    uncorrected, _, kind, batch, test = cells
    with pytest.raises(ValueError, match=r"200 test cells have a label, of 1 kind\(s\)"):
        LabelJudge(np.zeros(400), batch, test, uncorrected, scib=False)
    with pytest.raises(ValueError, match="14 test cells have a label, of 4"):
        LabelJudge(kind, batch, test[:14], uncorrected, scib=False)
    with pytest.raises(ValueError, match="labels has 399 entries but 400 are needed"):
        LabelJudge(kind[1:], batch, test, uncorrected, scib=False)
