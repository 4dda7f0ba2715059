"""Parts of the calibration of the judge, on few cells."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from scpareto.datasets import simulate_batches

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
if not EXPERIMENTS.is_dir():
    pytest.skip("experiments are not part of this copy", allow_module_level=True)


@pytest.fixture
def part(monkeypatch):
    """Modules of the calibration by name."""
    monkeypatch.syspath_prepend(EXPERIMENTS)
    return lambda name: importlib.import_module(f"calibration.{name}")


def test_families_keep_equally_much_and_are_judged_alike(part, monkeypatch):
    families = part("families")
    monkeypatch.setitem(families.SETTINGS, "tiny", 400)
    table = families.judge("tiny", "unused genes", 0)
    assert len(table) == len(families.LEVELS) * len(families.KIND)
    assert (table["reached"] - table["truth"]).abs().max() < 2
    of_level = table.groupby("truth")["structure_kept"].agg(["min", "max"]).sort_index()
    # Every family of a level lies above every one of the next lower level.
    assert (of_level["min"].to_numpy()[1:] > of_level["max"].to_numpy()[:-1]).all()
    told = families.summarise(table)
    np.testing.assert_allclose(told.groupby("truth")["favoured"].mean(), 0, atol=1e-9)
    assert (told["of maps"] < told["to next level"].fillna(np.inf)).all()


def test_true_share_is_of_as_many_true_neighbours(part):
    families = part("families")
    places = np.random.default_rng(0).normal(size=(300, 3))
    truth = families.Truth(places)
    assert truth.share(3 * places) == pytest.approx(100)
    assert truth.share(families.nearest(places, 7)) == pytest.approx(100)
    assert abs(truth.share(np.random.default_rng(1).normal(size=(300, 3)))) < 10


def test_probes_are_trained_with_and_without_other_cells(part, monkeypatch):
    probes = part("probes")
    adata = simulate_batches(400, 60, n_batches=2, batch_strength=2.0, seed=0)
    batch = adata.obs["batch"].astype(str).to_numpy()
    components = np.log1p(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X)[:, :10].astype(float)
    monkeypatch.setattr(probes, "load", lambda dataset, n_genes: adata)
    monkeypatch.setattr(probes, "components_of", lambda dataset: (components, batch))
    monkeypatch.setitem(probes.EPOCHS, "tiny", 1)
    table = probes.judge("tiny", "pbmc_multistudy: 35% train", 0).set_index("helped_by")
    assert list(table.index) == ["training cells", "none", "other held-out cells"]
    assert table["n_judged"].tolist() == [120] * 3
    assert table["n_used"].tolist() == [260, 120, 260]
    assert probes.summarise(table.reset_index())["more_than_none"].tolist()[1] == 0


def test_cells_are_dealt_within_batches(part):
    batch = np.repeat(["a", "b"], [40, 100])
    dealt = part("probes").dealt(batch, (0.3, 0.7), np.random.default_rng(0))
    assert np.bincount(dealt).tolist() == [42, 98]
    assert (dealt[batch == "a"] == 0).sum() == 12
    other = part("probes").dealt(batch, (0.3, 0.35), np.random.default_rng(0))
    np.testing.assert_array_equal(other == 0, dealt == 0)


def test_thorough_beside_default(part, monkeypatch):
    pytest.importorskip("harmonypy")
    thorough = part("thorough")
    batch = np.tile(["a", "b"], 100)
    types = np.arange(200) // 2 % 2
    components = np.random.default_rng(0).normal(size=(200, 5)) + 8.0 * np.eye(5)[types]
    components[:, 4] += 3.0 * (batch == "b")
    monkeypatch.setattr(thorough, "components_of", lambda dataset: (components, batch))
    monkeypatch.setattr(thorough, "RESOLUTIONS", (2, 3))
    table = thorough.judge("small", "thorough", 0).set_index("embedding")
    assert list(table.index) == ["components", "centred", "harmony"]
    np.testing.assert_allclose(table[["left_2", "left_3"]].mean(axis=1), table["batch_left"])
    nats = table.filter(like="nats_")
    assert nats.shape[1] == 5
    assert [f"nats_{kind}" for kind in table["kind"]] == nats.idxmax(axis=1).tolist()
    assert len(thorough.summarise(table.reset_index())) == 3
