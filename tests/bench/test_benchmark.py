"""The table of all methods: what is in it, what fails alone, what is not run twice, and who is dominated."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import scpareto as sp
from scpareto._cells import _validate
from scpareto.audit import judge_codes
from scpareto.bench import Benchmark, read_cells
from scpareto.bench._cost import measure_cost
from scpareto.bench._dominance import beside_front


@pytest.fixture
def broken(register_method):
    """Register a method without a title that fails until it is mended."""
    state = {"calls": 0, "mended": False}

    @register_method("broken")
    def run(cells):
        state["calls"] += 1
        if not state["mended"]:
            raise ZeroDivisionError("nothing to divide by")
        return cells.components

    return state


def texts_in(ax):
    legend = ax.get_legend()
    return {text.get_text() for text in [*ax.texts, *(legend.get_texts() if legend else [])]}


@pytest.fixture(scope="module")
def adata(simulate):
    adata = simulate(2, n_cells=300)
    adata.obsm["types"] = np.eye(4)[adata.obs["cell_type"].cat.codes] + 0.1 * np.random.default_rng(0).normal(
        size=(300, 4)
    )
    return adata


@pytest.fixture(scope="module")
def finished(adata, quick):
    bench = Benchmark(
        adata,
        batch_key="batch",
        labels_key="cell_type",
        methods=["pca", "mnn", "harmony", "paretovi"],
        options={"paretovi": quick["paretovi"], "harmony": {"theta": 1.0}},
        sweeps={"harmony": [0, 1, 4]},
        fractions=(0.4, 0.1, 0.5),
        reference_rep="types",
        scib=False,
    )
    bench.run(progress=False)
    return bench


def test_one_row_for_each_method_setting_and_point(finished):
    table = finished.to_dataframe()
    rows = table[["method", "setting"]].drop_duplicates().itertuples(index=False, name=None)
    assert list(rows) == [
        ("pca", ""),
        ("mnn", ""),
        ("harmony", ""),
        ("harmony", "theta=0"),
        ("harmony", "theta=4"),
        ("paretovi", ""),
    ]
    assert (table["status"] == "finished").all()
    assert table.loc[table["method"] == "harmony", "strength"].tolist() == [1, 0, 4]
    front = table[table["method"] == "paretovi"]
    assert front["point"].tolist() == [0, 1, 2, 3]
    assert front["selected"].tolist() == [True, False, False, False]
    assert front["strength"].is_monotonic_increasing
    assert front["fits"].eq("training cells").all()
    assert (table.loc[table["method"] == "pca", "fits"] == "all cells").all()
    assert (table["n_test"] == 150).all()
    assert (
        table[["seconds", "cpu_seconds", "leakage_mean_high", "retention_low", "ari", "silhouette"]].notna().all(None)
    )
    assert "scib_total" not in table


def test_numbers_are_those_of_the_judges(finished, adata):
    row = finished.to_dataframe().set_index("method").loc["pca"]
    cells = finished._cells(0)
    split, components = cells.split, cells.components
    # A probe amplifies rounding, which is the machine's own: to be equal, the numbers need the same bits of the codes.
    judged = finished._judge(cells)(components)
    by_hand = judge_codes(components, None, adata.obs["batch"], test_indices=split.test, expression=components, seed=0)
    assert judged | by_hand == judged
    assert row["leakage_mean_low"] < row["leakage_mean"] < row["leakage_mean_high"]
    assert row["retention"] == 1.0
    assert row["retention_low"] == row["retention_high"] == 1.0
    reference = sp.metrics.neighborhood_retention(
        adata.obsm["types"][split.test], components[split.test], adata.obs["batch"].to_numpy()[split.test]
    )
    assert row["retention_reference"] == pytest.approx(reference, abs=0.01)
    assert row["retention_reference_low"] < reference < row["retention_reference_high"]
    clusters = sp.metrics.clustering_scores(
        components[split.test], adata.obs["cell_type"].to_numpy()[split.test], n_init=20
    )
    assert row["ari"] == pytest.approx(clusters.ari, abs=0.05)


def test_the_front_is_judged_on_the_cells_that_it_never_saw(finished, adata, quick):
    cells = finished._cells(0)
    model = sp.model.ParetoVI
    seen = {}

    def spy(self, *arguments, **training):
        seen["split"] = training["split"]
        raise RuntimeError("seen enough")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "train", spy)
        with pytest.raises(RuntimeError, match="seen enough"):
            sp.bench.get_method("paretovi").run(cells)
    np.testing.assert_array_equal(seen["split"][2], cells.split.test)


def test_a_failed_method_says_why_and_is_tried_again(adata, broken, tmp_path):
    path = tmp_path / "rows.csv"
    arguments = {"batch_key": "batch", "methods": ["broken", "pca"], "path": path}
    first = Benchmark(adata, **arguments)
    first.run(progress=False)
    table = first.to_dataframe().set_index("method")
    assert table["status"].to_dict() == {"broken": "failed", "pca": "finished"}
    assert table.loc["broken", "reason"] == "ZeroDivisionError: nothing to divide by"
    assert np.isnan(table.loc["broken", "leakage_mean"])
    assert len(pd.read_csv(path)) == 2

    broken["mended"] = True
    again = Benchmark(adata, **arguments)
    again.run(progress=False)
    assert broken["calls"] == 2
    both = again.to_dataframe().set_index("method")
    assert (both["status"] == "finished").all()
    assert both.loc["pca", "seconds"] == pytest.approx(table.loc["pca", "seconds"])
    again.run(progress=False)
    assert broken["calls"] == 2
    # It can be drawn without any front or sweep; a method without a title has its name.
    assert "broken" in texts_in(again.plot())


def test_a_missing_library_is_a_failed_row(adata, monkeypatch):
    def without(name, *rest):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", without)
    bench = Benchmark(adata, batch_key="batch", methods=["harmony"])
    bench.run(progress=False)
    row = bench.to_dataframe().iloc[0]
    assert row["status"] == "failed"
    assert "pip install 'scpareto[harmony]'" in row["reason"]
    assert "harmony" not in [task.method for task in Benchmark(adata, batch_key="batch").tasks]


def test_all_methods_are_chosen_unless_they_need_what_is_not_there(adata):
    without = [task.method for task in Benchmark(adata, batch_key="batch").tasks]
    with_labels = [task.method for task in Benchmark(adata, batch_key="batch", labels_key="cell_type").tasks]
    assert set(with_labels) - set(without) == {"scanvi"}
    swept = Benchmark(adata, batch_key="batch", methods=["scvi", "pca"], sweeps=True).tasks
    assert [task.setting for task in swept] == ["", "kl_weight=0.1", "kl_weight=3", "kl_weight=10", ""]


def test_wrong_arguments_are_refused(adata):
    wrong = [
        ({"methods": ["umap"]}, "method='umap' is unknown"),
        ({"methods": ["scanvi"]}, "'scanvi' reads labels"),
        ({"methods": ["pca"], "options": {"mnn": {}}}, "'mnn' has options or a sweep but is not among"),
        ({"methods": ["mnn"], "options": {"mnn": {"theta": 1}}}, "no option 'theta'"),
        ({"methods": ["pca"], "sweeps": ["pca"]}, "'pca', which has no knob"),
        ({"seeds": 0}, "at least one seed"),
    ]
    for arguments, message in wrong:
        with pytest.raises(ValueError, match=message):
            Benchmark(adata, batch_key="batch", **arguments)
    with pytest.raises(KeyError, match="reference_rep='proteins' is not in adata.obsm. Available: 'types'"):
        Benchmark(adata, batch_key="batch", reference_rep="proteins")
    one = adata.copy()
    one.obs["batch"] = "all"
    with pytest.raises(ValueError, match="one batch only"):
        Benchmark(one, batch_key="batch")


def test_a_trained_model_is_judged_beside_the_methods(adata, quick):
    own = adata.copy()
    sp.model.ParetoVI.setup_anndata(own, batch_key="batch")
    model = sp.model.ParetoVI(own, seed=3)
    with pytest.raises(ValueError, match=r"fronts\['mine'\] has no front yet"):
        Benchmark(adata, batch_key="batch", fronts={"mine": model})
    training = {k: v for k, v in quick["paretovi"].items() if k != "select"}
    model.train(**training, progress=False)
    before = model.selected
    bench = Benchmark(adata, batch_key="batch", methods=["pca"], fronts={"mine": model})
    bench.run(progress=False)
    table = bench.to_dataframe()
    assert model.selected == before
    assert table[table["method"] == "mine"]["point"].tolist() == [0, 1, 2, 3]
    assert (table["n_test"] == len(model.test_indices_)).all()
    assert set(bench.beside_front()["method"]) == {"pca"}


def rows(*values):
    table = pd.DataFrame(values, columns=["method", "family", "point", "leakage_mean", "retention"])
    return table.assign(setting="", seed=0, status="finished", leakage_mean_high=table["leakage_mean"] + 0.05)


def test_who_is_dominated_by_hand():
    table = rows(
        ("front", "front", 0, 1.0, 0.6),
        ("front", "front", 1, 0.2, 0.5),
        ("worse", "linear", np.nan, 0.3, 0.4),
        ("same", "linear", np.nan, 0.2, 0.5),
        ("nearly", "linear", np.nan, 0.16, 0.45),
        ("better", "linear", np.nan, 0.1, 0.7),
    )
    found = beside_front(table, x="leakage_mean", y="retention").set_index("method")
    assert found["dominated"].to_dict() == {"worse": True, "same": True, "nearly": False, "better": False}
    assert found["dominated_within"].to_dict() == {"worse": True, "same": True, "nearly": True, "better": False}
    assert found.loc["worse", ["by", "gain_x", "gain_y"]].tolist() == pytest.approx([1, 0.1, 0.1])
    assert found.loc["better", "gain_x"] < 0
    # The front may leak 0.12 less than measured: 0.13 = sqrt(0.05^2 + 0.12^2) for the difference.
    wider = table.assign(leakage_mean_low=table["leakage_mean"] - 0.12, retention=0.5)
    found = beside_front(wider, x="leakage_mean", y="retention").set_index("method")
    assert found.loc["better", ["dominated", "dominated_within"]].tolist() == [False, True]
    wider.loc[wider["family"] == "front", "leakage_mean"] += [0.0, 0.031]
    wider["leakage_mean_low"] = wider["leakage_mean"] - 0.12
    assert (
        not beside_front(wider, x="leakage_mean", y="retention").set_index("method").loc["better", "dominated_within"]
    )
    # A probe that is worse than none has found nothing, not less than nothing.
    none = rows(("front", "front", 0, 0.0, 0.5), ("method", "linear", np.nan, -0.02, 0.5))
    assert beside_front(none, x="leakage_mean", y="retention")["dominated"].all()
    with pytest.raises(ValueError, match="front='other' is not one of the fronts: front"):
        beside_front(table, x="leakage_mean", y="retention", front="other")
    with pytest.raises(ValueError, match="'scib_bio' is not a column"):
        beside_front(table, x="leakage_mean", y="scib_bio")


def test_the_picture_has_points_curves_and_names(finished):
    ax = finished.plot()
    assert {"PCA, uncorrected", "MNN", "Harmony", "ParetoVI"} <= texts_in(ax)
    assert sum(artist.get_gid() == "other" for artist in ax.collections) == 2
    with pytest.raises(ValueError, match="'scib_total' has no values to draw"):
        finished.plot(y="scib_total")


class StubScorer:
    """Scores that follow from the rows that are scored."""

    def __init__(self, expression, labels, batch, *, seed):
        self.n_cells = len(expression)

    def score(self, codes):
        assert len(codes) == self.n_cells
        mean = float(codes[:, 0].mean())
        return SimpleNamespace(bio_conservation=mean, batch_correction=2 * mean, total=0.0, value={})


def test_scores_of_scib_metrics_have_jackknife_intervals(adata, monkeypatch):
    monkeypatch.setattr("scpareto.bench._judge.ScibScorer", StubScorer)
    monkeypatch.setattr("scpareto.audit._judge_labels.ScibScorer", StubScorer)
    bench = Benchmark(
        adata,
        batch_key="batch",
        labels_key="cell_type",
        methods=["pca"],
        fractions=(0.4, 0.1, 0.5),
        scib_intervals=True,
    )
    bench.run(progress=False)
    row = bench.to_dataframe().iloc[0]
    cells = bench._cells(0)
    values = cells.components[cells.split.test, 0]
    assert row["scib_bio"] == pytest.approx(values.mean(), abs=1e-5)
    # For a mean, the jackknife over five groups of equal size is the spread of their means.
    half = row["scib_bio_high"] - row["scib_bio"]
    assert row["scib_bio"] - row["scib_bio_low"] == pytest.approx(half)
    assert 0.2 < half / (2.776 * values.std() / np.sqrt(len(values))) < 2.5
    assert row["scib_batch_high"] - row["scib_batch"] == pytest.approx(2 * half)


def test_cost_of_a_block():
    with measure_cost() as cost:
        block = np.ones(20_000_000)
        block += 1
    assert cost.seconds > 0
    assert cost.cpu_seconds > 0
    assert np.isnan(cost.peak_mb) or cost.peak_mb > 100


def test_own_methods_join_the_table(broken):
    table = sp.bench.methods().set_index("name")
    assert table.loc["broken", "returns"] == "embedding"
    assert table.loc["scanvi", "reads"] == "batch, labels"
    assert table.loc["scvi", ["fits", "knob"]].tolist() == ["training cells", "kl_weight"]
    assert table.loc["scdeepcluster", "reads"] == ""


def test_cells_know_their_batches(adata):
    some = (adata.obs["batch"] == "batch_1").to_numpy() | (np.arange(300) < 60)
    cells = read_cells(adata[some].copy(), batch_key="batch")
    assert cells.batches[0] == "batch_1"
    assert sorted(np.concatenate([cells.rows(b) for b in cells.batches])) == list(range(len(cells)))


def test_cells_are_gathered_and_checked_once(adata, monkeypatch):
    checked = []
    real = _validate.check_counts
    monkeypatch.setattr(_validate, "check_counts", lambda *arguments: checked.append(1) or real(*arguments))
    bench = Benchmark(adata, batch_key="batch", labels_key="cell_type", methods=["pca"], seeds=2, scib=False)
    bench.run(progress=False)
    assert len(checked) == 1
    Benchmark(adata, batch_key="batch", methods=["pca"], check=False)
    assert len(checked) == 1
    # Each seed has a split of its own, and hides the labels of its own test cells.
    first, second = bench._cells(0), bench._cells(1)
    assert not np.array_equal(first.split.test, second.split.test)
    for cells in (first, second):
        hidden = np.flatnonzero(cells.labels == "unlabelled")
        np.testing.assert_array_equal(hidden, cells.split.test)
    for seed, cells in enumerate((first, second)):
        again = read_cells(adata, batch_key="batch", labels_key="cell_type", split=cells.split, seed=seed)
        assert (again.counts != cells.counts).nnz == 0
        assert (again.labels == cells.labels).all()
        assert again.seed == cells.seed == seed
