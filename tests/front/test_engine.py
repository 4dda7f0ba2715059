"""Fronts of several objectives, of continuous nuisances and products, and of information within clusters."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from scpareto.model import ParetoVI
from scpareto.train._recipe import PRACTICAL
from scpareto.train._weighing import SolverWeighing

pytestmark = pytest.mark.filterwarnings("ignore:The losses of:UserWarning")

CRITIC = {"n_hidden": 8, "n_layers": 1}
SHORT = {"max_epochs": 2, "max_epochs_pretrain": 1, "method": "scalarization", "n_points": 4}
GRID = np.array([[0.8, 0.1, 0.1], [0.4, 0.3, 0.3], [0.3, 0.6, 0.1], [0.1, 0.1, 0.8]])
NAMES = ["generative_loss", "classifier", "mine_quality"]


def same_front(front, other):
    tables = [f.to_dataframe() for f in (front, other)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    for number in front.numbers:
        states = front.state(number), other.state(number)
        assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert repr(front.metadata) == repr(other.metadata)  # floats print with all their digits


@pytest.fixture(scope="module")
def three(nuisances):
    """A trained model with a front of three objectives: four points between three extremes."""
    model = ParetoVI(nuisances, n_hidden=16, n_latent=3, seed=0)
    plan = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
    model.train(
        3,
        max_epochs_pretrain=1,
        preferences=GRID[[2, 0, 3, 1]],
        method="pareto_mtl",
        objective=["classifier", "mine"],
        objective_kwargs=[CRITIC, CRITIC | {"target": "quality"}],
        plan_kwargs=plan,
        progress=False,
        accelerator="cpu",
    )
    return model


def test_three_objectives_have_three_extremes_around_the_candidates(three):
    table = three.front.to_dataframe()
    assert three.front.objectives == NAMES
    assert three.front.metadata["objective"] == NAMES[1:]
    assert table["point"].tolist() == list(range(7))
    assert table["kind"].tolist() == ["extreme", *["candidate"] * 4, "extreme", "extreme"]
    preferences = table[[f"preference_{name}" for name in NAMES]].to_numpy()
    np.testing.assert_allclose(preferences[[0, 5, 6]], np.eye(3))
    np.testing.assert_allclose(preferences[1:5], GRID)
    assert three.front.missing == []


def test_every_objective_has_its_losses(three):
    table = three.front.to_dataframe()
    losses = table[[f"{name}_{part}" for name in NAMES for part in ("train", "validation", "test")]]
    assert np.isfinite(losses.to_numpy()).all()
    assert (losses.nunique() > 1).all()
    assert three.front.points().shape == (7, 3)
    assert three.front.hypervolume() > 0


def test_the_scaler_spans_the_extremes_of_every_objective(three):
    table, scaler = three.front.to_dataframe().set_index("point"), three.front.metadata["scaler"]
    payoff = table.loc[[0, 5, 6], [f"{name}_validation" for name in NAMES]].to_numpy()
    ideal = np.minimum(np.diag(payoff), [np.inf, 0, 0])
    np.testing.assert_allclose(scaler["minimum"], ideal)
    maximum = np.maximum(payoff.max(0), ideal + [PRACTICAL.least_cost * ideal[0], 0, 0])
    size = np.maximum(1, abs(ideal))
    is_rounding = maximum - ideal < 1e-5 * size  # such losses are not stretched
    np.testing.assert_allclose(scaler["maximum"], np.where(is_rounding, ideal + size, maximum))


def test_training_losses_have_the_range_of_the_finished_points_and_the_ideal_of_the_best_epoch(three):
    table, scaler = three.front.to_dataframe().set_index("point"), three.front.metadata["training_scaler"]
    reached = table.loc[[0, 5, 6], "generative_loss_train"].to_numpy()
    ideal = min(three.front.metadata["history"]["point_0"]["generative_loss_train"])
    assert scaler["minimum"][0] == pytest.approx(ideal)
    width = max(reached.max() - reached[0], PRACTICAL.least_cost * ideal)
    assert scaler["maximum"][0] - ideal == pytest.approx(width)


def test_each_extreme_trains_its_objective_alone(three):
    history = three.front.metadata["history"]
    for number, own in ((0, 0), (5, 1), (6, 2)):
        columns = {name: np.array(history[f"point_{number}"][f"{name}_train"]) for name in NAMES}
        before_refit = {name: values[:2] for name, values in columns.items()}
        assert [bool(np.isfinite(before_refit[name]).all()) for name in NAMES] == [i == own for i in range(3)]
    weights = np.array([history["point_3"][f"{name}_weight"] for name in NAMES])
    assert np.isfinite(weights).all()


def test_points_are_selected_by_a_preference_of_three(three):
    for i, preference in enumerate(GRID):
        assert three.select(preference=preference) == i + 1
    for number, preference in ((0, [1, 0, 0]), (5, [0, 1, 0]), (6, (0.0, 0.0, 1.0))):
        assert three.select(preference=preference) == number
        assert all(torch.equal(t, three.front.state(number)[n]) for n, t in three.module.state_dict().items())
    assert three.select("knee") in three.front.numbers
    with pytest.raises(ValueError, match="With 3 objectives a preference is a sequence of 3 numbers"):
        three.select(preference=0.5)
    with pytest.raises(ValueError, match="needs 3 numbers"):
        three.select(preference=[0.5, 0.5])


def test_a_saved_model_keeps_the_front_of_three(three, simulate_nuisances, tmp_path):
    three.select(4)
    three.save(tmp_path / "model")
    loaded = ParetoVI.load(tmp_path / "model", simulate_nuisances())
    same_front(loaded.front, three.front)
    assert (loaded.front.objectives, loaded.selected) == (NAMES, 4)
    np.testing.assert_array_equal(loaded.get_latent_representation(), three.get_latent_representation())
    assert loaded.select(preference=[0, 0, 1]) == 6
    assert loaded.adata.uns["scpareto"]["paretovi"]["objective"] == "classifier, mine_quality"


@pytest.mark.parametrize(
    ("objective", "options"),
    [
        ("mmd", {}),
        ("hsic", {"target": "quality"}),
        ("mine", CRITIC | {"target": "quality", "given": "niche"}),
        ("classifier", CRITIC | {"target": ["batch", "donor"], "given": "cell_type"}),
        ("total_correlation", {}),
        ("prior_divergence", {}),
        ("prior_divergence", {"divergence": "js", "n_hidden": 8}),
        ("deep_clustering", {"n_clusters": 3}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())) or "default",
)
def test_every_objective_has_a_front(nuisances, untrained_paretovi, fit, tmp_path, objective, options):
    model = untrained_paretovi(nuisances)
    front = fit(model, **SHORT, objective=objective, objective_kwargs=options)
    (label,) = front.objectives[1:]
    assert label.startswith(objective)
    assert front.missing == []
    assert "single_level_clusters" not in front.metadata
    table = front.to_dataframe()
    assert np.isfinite(table[[f"{label}_{part}" for part in ("train", "validation", "test")]].to_numpy()).all()
    assert np.isfinite(table["structure_kept"].to_numpy()).all()
    is_continuous = options.get("target") == "quality"
    column = front.metadata["judged"].get("column")
    assert column == (None if is_continuous else "batch:donor_left" if "target" in options else "batch_left")
    told = front.metadata["judged"]
    assert is_continuous or "reason" in told or told["no_batch_effect"] or np.isfinite(table[column]).all()
    torch.save(front.to_plain(), tmp_path / "front.pt")
    plain = torch.load(tmp_path / "front.pt", weights_only=True)
    same_front(type(front).from_plain(plain), front)


def test_the_published_recipe_trades_three_objectives(nuisances, untrained_paretovi, fit):
    front = fit(
        untrained_paretovi(nuisances),
        preset="paper",
        **SHORT,
        preferences=GRID[2:],
        objective=["mine", "prior_divergence"],
        objective_kwargs=[CRITIC, {}],
        batch_size=70,
    )
    scaler = front.metadata["scaler"]
    assert scaler["name"] == "trajectory"
    assert len(scaler["minimum"]) == 3
    assert (np.array(scaler["maximum"]) > scaler["minimum"]).all()
    assert front.numbers == list(range(5))


class InterruptAtCandidate(Callback):
    def on_train_batch_end(self, trainer, plan, *args):
        if isinstance(plan.weighing, SolverWeighing) and plan.weighing.preference[1] > 0.5:
            raise KeyboardInterrupt


CLUSTERED = {
    "objective": ["classifier", "mine"],
    "objective_kwargs": [
        CRITIC | {"given": "corrected", "n_clusters": 3},
        CRITIC | {"given": "pca", "n_clusters": 4, "target": "quality"},
    ],
    "preferences": [[0.8, 0.1, 0.1], [0.2, 0.6, 0.2]],
}


def test_a_front_within_found_clusters_is_resumed_bit_for_bit(nuisances, untrained_paretovi, fit, tmp_path):
    whole = fit(untrained_paretovi(nuisances), **SHORT | CLUSTERED)
    assert whole.numbers == [0, 1, 2, 3, 4]
    with pytest.raises(KeyboardInterrupt):
        fit(
            untrained_paretovi(nuisances),
            **SHORT | CLUSTERED,
            checkpoint_dir=tmp_path,
            callbacks=[InterruptAtCandidate()],
        )
    stored = {path.stem: torch.load(path, weights_only=True) for path in tmp_path.glob("*.pt")}
    assert {"clusters_corrected", "clusters_pca", "critics", "point_1"} <= set(stored)
    for name, n_clusters in (("corrected", 3), ("pca", 4)):
        memberships = stored[f"clusters_{name}"]["memberships"]
        assert memberships.shape == (200, n_clusters)
        torch.testing.assert_close(memberships.sum(1), torch.ones(200))
    for part, n_clusters in zip(stored["critics"]["objectives"], (3, 4), strict=True):
        assert len(part["counts"]) == n_clusters
    resumed = fit(untrained_paretovi(nuisances), **SHORT | CLUSTERED, checkpoint_dir=tmp_path)
    same_front(resumed, whole)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    again = fit(untrained_paretovi(nuisances), **SHORT | CLUSTERED, checkpoint_dir=tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    same_front(again, whole)


class InterruptAtOnce(Callback):
    def on_train_start(self, trainer, plan):
        if plan.objectives:
            raise KeyboardInterrupt


@pytest.mark.parametrize("share", [0.25, 0.4, 1])
def test_clusters_of_one_level_are_reported(
    nuisances, simulate_nuisances, untrained_paretovi, prepare, tmp_path, caplog, share
):
    """Each batch has a cluster of its own that holds this share of it; the rest is mixed."""
    labels = np.full(200, "mixed", dtype=object)
    for level in ("batch_0", "batch_1"):
        cells = np.flatnonzero(nuisances.obs["batch"] == level)
        labels[cells[: int(1.5 * share * len(cells))]] = level
    adata, share = simulate_nuisances(niche=labels), np.mean(labels != "mixed")
    options = {"objective": "classifier", "objective_kwargs": CRITIC | {"given": "niche"}, "checkpoint_dir": tmp_path}
    if share == 1:
        with pytest.raises(ValueError, match="given='niche': every cluster has one level of 'batch' only"):
            prepare(untrained_paretovi(adata), **SHORT | options).run()
        return
    told = f"classifier: 2 clusters, with {share:.0%} of the cells, have one level of the nuisance"
    for _ in ("first", "resumed"):
        caplog.clear()
        run = prepare(untrained_paretovi(adata), **SHORT | options, callbacks=[InterruptAtOnce()])
        with caplog.at_level(logging.INFO, "scpareto"), pytest.raises(KeyboardInterrupt):
            run.run()
        assert run.front().metadata["single_level_clusters"] == {"classifier": [0, 1]}
        (record,) = [record for record in caplog.records if told in record.message]
        assert record.levelname == ("WARNING" if share > 0.5 else "INFO")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"objective": []}, ValueError, "objective is empty"),
        ({"objective": ["mine", "nime"], "n_points": 6}, ValueError, "'nime' is unknown"),
        ({"objective": ["mine", "mine"], "n_points": 6}, ValueError, "'mine' is there twice"),
        (
            {"objective": ["mine", "hsic"], "objective_kwargs": [{}], "n_points": 6},
            ValueError,
            "1 entries for 2 objectives",
        ),
        ({"objective": ["mine", "hsic"], "n_points": 5}, ValueError, "n_points=5: a front needs at least 6"),
        ({"objective": ["mine", "hsic"], "preferences": [0.2, 0.8]}, ValueError, r"as \(n_preferences, 3\)"),
        ({"objective_kwargs": {"target": ["batch", "quality"]}}, ValueError, "only categorical nuisances"),
        ({"objective_kwargs": {"given": "gap"}}, ValueError, "missing values"),
        ({"objective_kwargs": {"given": "raw"}}, ValueError, "memberships"),
        ({"objective_kwargs": {"given": "pca", "n_clusters": 1}}, ValueError, "1 clusters; give from 2 to 200"),
        ({"objective_kwargs": {"given": "clusters"}}, KeyError, "'clusters' is neither"),
        ({"split": None}, ValueError, "one value only among the test cells"),
    ],
)
def test_bad_arguments_are_refused_before_any_training(
    nuisances, untrained_paretovi, fit, monkeypatch, tmp_path, arguments, error, message
):
    monkeypatch.setattr("scpareto.train._train.run_training", lambda *args, **kwargs: pytest.fail("trained"))
    options = {"objective_kwargs": None} | arguments
    if "split" in options:
        same = np.flatnonzero(nuisances.obs["batch"] == "batch_0")[-5:]
        rest = np.setdiff1d(np.arange(200), same)
        options["split"] = [rest[:150], rest[150:], same]
    with pytest.raises(error, match=message):
        fit(untrained_paretovi(nuisances), checkpoint_dir=tmp_path / "points", **options)
    assert not (tmp_path / "points").exists()
