"""One training for all preferences."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from scvi.dataloaders import AnnDataLoader
from torch.nn.modules.batchnorm import _BatchNorm

from scpareto.datasets import simulate_batches
from scpareto.front import apply_point
from scpareto.model import ParetoVI
from scpareto.objectives import Classifier, Context, Mine
from scpareto.pareto import Scaler, preference_at
from scpareto.tl import judge
from scpareto.train import PRACTICAL
from scpareto.train._adapter import get_adapter
from scpareto.train._path_plan import PathPlan, PathWeighing
from scpareto.train._path_weights import PathWeights

CRITIC = {"n_hidden": 8, "n_layers": 1}
PLAN = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
SHORT = {
    "max_epochs": 4,
    "max_epochs_pretrain": 2,
    "method": "conditional",
    "n_points": 4,
    "objective_kwargs": CRITIC,
    "plan_kwargs": PLAN,
    "progress": False,
}
SCALER = Scaler("start", [50.0, 0.0], [60.0, 0.5])


class Trainer:
    """As much of a trainer as a step needs."""

    current_epoch = 0


@pytest.fixture
def plan(model):
    """A plan that can step without Lightning, and its minibatches."""
    torch.manual_seed(0)
    critic = Classifier(3, 2, on="mean", **CRITIC).along_path(2)
    made = PathPlan(get_adapter(model), [critic], PathWeighing(SCALER), PRACTICAL)
    optimizers = made.configure_optimizers()
    made.optimizers = lambda: optimizers
    made.kept = made.trainer = Trainer()
    made.train()
    return made, list(AnnDataLoader(model.adata_manager, batch_size=64, drop_last=True))


@pytest.fixture(scope="module")
def cells():
    adata = simulate_batches(800, 150, batch_strength=1.5, type_strength=1.3, seed=0)
    ParetoVI.setup_anndata(adata, batch_key="batch")
    return adata


@pytest.fixture(scope="module")
def trained(cells):
    model = ParetoVI(cells, n_hidden=64, seed=0)
    words, handler = [], logging.Handler()
    handler.emit = lambda record: words.append(record.getMessage())
    logging.getLogger("scpareto").addHandler(handler)
    model.train(180, max_epochs_pretrain=60, method="conditional", n_points=5, progress=False)
    logging.getLogger("scpareto").removeHandler(handler)
    model.told = words
    return model


def copies(parameters):
    return [p.detach().clone() for p in parameters]


def same(some, others):
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


def test_a_stronger_preference_leaks_less(trained):
    table = trained.front.to_dataframe()
    leakage = table["leakage_mean"].to_numpy()
    assert table["kind"].tolist() == ["extreme", *["conditional"] * 4]
    assert leakage[-1] < 0.6 * leakage[0]
    assert pd.Series(leakage).corr(table["preference_classifier"], method="spearman") < -0.8


def test_points_lie_at_equal_steps_of_what_is_left(trained):
    table, curve = trained.front.to_dataframe(), trained.front.curve()
    left = table["batch_left"].to_numpy()
    steps = -np.diff(left) / (left[0] - left[-1])
    # Between judged places a line is drawn, and the path bends.
    np.testing.assert_allclose(steps, 0.25, atol=0.15)
    assert table["preference_classifier"].is_monotonic_increasing
    assert curve["place"].tolist() == sorted(curve["place"])
    assert curve["batch_left_fit"].is_monotonic_decreasing
    assert left[0] == pytest.approx(curve["batch_left"].iloc[0], abs=1e-6), "one judge for curve and points"
    assert len(curve) >= 9


def test_the_recommended_point_is_selected_and_its_alarm_is_silent(trained, cells):
    front = trained.front
    assert front.recommended == front.find("auto")
    assert front.table.set_index("point")["alarm"][front.recommended] == 0
    assert front.explain().startswith(f"Point {front.recommended} of 5: ")
    again = ParetoVI(cells, n_hidden=16, n_latent=3, seed=1)
    again.train(**SHORT)
    assert again.selected == again.front.recommended


def test_a_place_is_chosen_by_what_may_be_left(trained):
    left = trained.front.to_dataframe()["batch_left"]
    middle = float(left.iloc[:2].mean())
    number = trained.select(batch_left=middle)
    assert number in (0, 1)
    assert trained.front.preferences[0, 1] < trained.preference[1] < trained.front.preferences[1, 1]
    codes = trained.get_latent_representation()
    trained.select(3)
    np.testing.assert_array_equal(trained.get_latent_representation(batch_left=middle), codes)
    with trained.at(batch_left=middle):
        np.testing.assert_array_equal(trained.get_latent_representation(), codes)
    assert trained.selected == 3
    with pytest.raises(ValueError, match="batch_left=99 is not reached"):
        trained.select(batch_left=99)


def test_judging_the_same_codes_gives_the_same_numbers_everywhere(trained, cells):
    """After training, in an audit, and for codes in an AnnData."""
    table = trained.front.to_dataframe().set_index("point")
    trained.select(2)
    cells.obsm["X_codes"] = trained.get_latent_representation()
    judged = judge(cells, "X_codes", batch_key="batch").loc["X_codes"]
    assert judged["batch_left"] == pytest.approx(table["batch_left_in_sample"][2], abs=0.2)
    assert judged["structure_kept"] == pytest.approx(table["structure_kept_in_sample"][2], abs=0.2)
    columns = ["batch_left", "structure_kept", "alarm"]
    pd.testing.assert_frame_equal(trained.audit(progress=False).set_index("point")[columns], table[columns])


def test_a_preference_between_points_has_codes_in_between(trained):
    below, above = trained.front.preferences[1:3, 1]
    between = (below + above) / 2
    codes = {t: trained.get_latent_representation(preference=t) for t in (below, between, above)}
    assert np.linalg.norm(codes[between] - codes[below]) < np.linalg.norm(codes[above] - codes[below])
    trained.select(1)
    np.testing.assert_array_equal(codes[below], trained.get_latent_representation())


def test_codes_of_another_preference_leave_the_selection_alone(trained):
    trained.select(2)
    before = trained.get_latent_representation()
    assert not np.array_equal(trained.get_latent_representation(preference=0.9), before)
    np.testing.assert_array_equal(trained.get_latent_representation(), before)
    assert trained.selected == 2
    np.testing.assert_allclose(trained.preference, trained.front.preferences[2])


def test_any_preference_is_selected_saved_and_loaded(trained, cells, tmp_path):
    nearest = int(np.abs(trained.front.preferences[:, 1] - 0.37).argmin())
    assert trained.select(preference=0.37) == nearest
    np.testing.assert_allclose(trained.preference, [0.63, 0.37])
    codes = trained.get_latent_representation()
    trained.save(tmp_path / "model")
    loaded = ParetoVI.load(tmp_path / "model", cells)
    np.testing.assert_array_equal(loaded.get_latent_representation(), codes)
    assert loaded.selected == nearest
    np.testing.assert_allclose(loaded.preference, [0.63, 0.37])
    np.testing.assert_array_equal(
        loaded.get_latent_representation(preference=0.9), trained.get_latent_representation(preference=0.9)
    )
    np.testing.assert_array_equal(trained.to_scvi().get_latent_representation(), codes)
    assert "generative_loss_validation_end" in loaded.history


def test_an_audit_judges_the_points_of_the_path(trained):
    trained.select(preference=0.37)
    codes = trained.get_latent_representation()
    before = trained.front.to_dataframe()
    again = trained.audit(progress=False)
    assert {"leakage_sample", "nn_mean", "batch_entropy", "retention"} <= set(again)
    np.testing.assert_allclose(again["batch_left"], before["batch_left"], atol=1e-6)
    np.testing.assert_array_equal(trained.get_latent_representation(), codes)


def test_a_refined_preference_takes_the_place_of_the_nearest_point(trained, cells, tmp_path):
    trained.save(tmp_path / "model", overwrite=True)
    model = ParetoVI.load(tmp_path / "model", cells)
    before, start = model.front.to_dataframe().set_index("point"), model.front.resolve(preference=0.37).state
    point = int(np.abs(model.front.preferences[:, 1] - 0.37).argmin())
    others = [number for number in model.front.numbers if number != point]
    assert model.refine(preference=0.37, max_epochs=3, progress=False) == point
    after = model.front.to_dataframe().set_index("point")
    assert after["preference_classifier"][point] == pytest.approx(0.37)
    assert 0 < after["n_epochs"][point] - before["n_epochs"][point] <= 3
    unchanged = ["batch_left", "generative_loss_test", "n_epochs"]
    pd.testing.assert_frame_equal(after.loc[others, unchanged], before.loc[others, unchanged])
    name = next(n for n, values in start.items() if n.endswith("weight") and values.ndim == 2)
    refined = model.front.state(point)[name]
    assert 0 < float((refined - start[name]).abs().max()) < 0.1
    assert torch.equal(model.module.state_dict()[name].cpu(), refined)
    assert model.selected == point
    assert torch.equal(model.front.resolve(preference=0.37).state[name], refined)
    # The path itself stays, and what was refined is saved with the front.
    assert torch.equal(model.front.path.state([0.63, 0.37])[name], start[name])
    model.save(tmp_path / "again")
    assert torch.equal(ParetoVI.load(tmp_path / "again", cells).front.state(point)[name], refined)


@pytest.mark.parametrize(("which", "options", "told"), [(9, {}, "no point 9"), (1, {"max_epochs": 0}, "at least 1")])
def test_bad_refinements_are_refused(trained, which, options, told):
    with pytest.raises(ValueError, match=told):
        trained.refine(which, progress=False, **options)


def test_equal_seeds_give_equal_paths(cells):
    fronts = []
    for _ in range(2):
        model = ParetoVI(cells, n_hidden=16, n_latent=3, seed=1)
        model.train(**SHORT)
        fronts.append(model.front)
    pd.testing.assert_frame_equal(*(front.to_dataframe() for front in fronts), check_exact=True)
    states = [front.resolve(preference=0.37).state for front in fronts]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_a_path_that_corrects_nothing_is_reported_once(cells, caplog, tmp_path):
    model = ParetoVI(cells, n_hidden=16, n_latent=3, seed=1)
    still = {"plan_kwargs": PLAN | {"lr_front": 1e-12, "n_bootstrap": 100}, "max_epochs": 22, "max_epochs_pretrain": 20}
    with caplog.at_level("WARNING", logger="scpareto"):
        model.train(**SHORT | still, checkpoint_dir=tmp_path)
    table = model.front.to_dataframe()
    assert table["batch_left"].min() > 5, table["batch_left"].tolist()
    assert "This training does not lower classifier, of which" in caplog.text
    assert "on_collapse='apart' tries" in caplog.text
    assert model.front.path is not None
    np.testing.assert_allclose(model.front.preferences[1:3, 1], [1 / 3, 2 / 3], atol=1e-6)
    caplog.clear()
    again = ParetoVI(cells, n_hidden=16, n_latent=3, seed=1)
    with caplog.at_level("WARNING", logger="scpareto"):
        again.train(**SHORT | still, checkpoint_dir=tmp_path)
    assert "does not lower" not in caplog.text, "the verdict is kept with the points"


@pytest.fixture(scope="module")
def collapsed(cells):
    """A front whose path stood still."""
    patch, words, handler = pytest.MonkeyPatch(), [], logging.Handler()
    patch.setattr(PathPlan, "_step", lambda *args: None)
    handler.emit = lambda record: words.append(record.getMessage())
    logging.getLogger("scpareto").addHandler(handler)
    try:
        model = ParetoVI(cells, n_hidden=64, seed=0)
        # Long enough that a training of its own lowers what the path does not.
        options = {"method": "conditional", "n_points": 4, "on_collapse": "apart", "progress": False}
        model.train(140, max_epochs_pretrain=60, **options)
    finally:
        logging.getLogger("scpareto").removeHandler(handler)
        patch.undo()
    model.told = words
    return model


def test_after_a_collapse_points_are_trained_apart(collapsed):
    assert any("The path does not lower classifier" in word for word in collapsed.told)
    table = collapsed.front.to_dataframe()
    assert table["kind"].tolist() == ["extreme", "candidate", "candidate", "extreme"]
    assert table["leakage_mean"].iloc[-1] < 0.6 * table["leakage_mean"].iloc[0]
    assert collapsed.front.method == collapsed.front.metadata["method"] == "scalarization"
    assert collapsed.front.path is None
    assert collapsed.front.metadata["collapsed"]
    assert not collapsed.front.missing


def test_a_front_after_a_collapse_has_the_scales_of_its_extremes_and_is_refined(collapsed, cells, tmp_path):
    table = collapsed.front.to_dataframe().set_index("point")
    assert collapsed.front.metadata["scaler"]["name"] == "payoff"
    assert collapsed.front.scaler.minimum[0] == pytest.approx(table.loc[0, "generative_loss_validation"])
    collapsed.save(tmp_path / "model")
    model = ParetoVI.load(tmp_path / "model", cells)
    assert model.refine(1, max_epochs=1, progress=False) == 1


def test_a_front_after_a_collapse_is_saved_and_loaded(collapsed, cells, tmp_path):
    collapsed.save(tmp_path / "model")
    loaded = ParetoVI.load(tmp_path / "model", cells)
    pd.testing.assert_frame_equal(loaded.front.to_dataframe(), collapsed.front.to_dataframe())
    assert loaded.select(1) == 1


def test_a_path_that_corrects_is_not_reported(trained):
    assert not any("lower" in word for word in trained.told)


class StopAtEpoch(Callback):
    def __init__(self, epoch):
        self.left = epoch

    def on_train_epoch_end(self, trainer, pl_module):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("pieces", [0, 2])
def test_an_interrupted_path_goes_on_from_its_last_whole_piece(cells, tmp_path, pieces):
    """Eleven epochs are pieces of two; the third one is interrupted half-way."""
    options = SHORT | {"max_epochs": 13}
    whole, resumed = (ParetoVI(cells, n_hidden=16, n_latent=3, seed=1) for _ in range(2))
    whole.train(**options)
    stop = StopAtEpoch(options["max_epochs_pretrain"] + 2 * pieces + 1)
    with pytest.raises(KeyboardInterrupt):
        resumed.train(**options, checkpoint_dir=tmp_path, callbacks=[stop])
    # The shared start is finished: point 0.
    assert resumed.front.numbers == [0]
    assert (tmp_path / "path_training.pt").exists() == (pieces > 0)
    count = StopAtEpoch(-1)
    resumed.train(**options, checkpoint_dir=tmp_path, callbacks=[count])
    assert -1 - count.left == 11 - 2 * pieces
    pd.testing.assert_frame_equal(whole.front.to_dataframe(), resumed.front.to_dataframe(), check_exact=True)
    states = [front.resolve(preference=0.37).state for front in (whole.front, resumed.front)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    history = resumed.front.metadata["history"]["path"]
    assert history == whole.front.metadata["history"]["path"]
    assert history["epoch"] == list(range(11))
    assert not (tmp_path / "path_training.pt").exists()


def test_three_objectives_have_a_path_with_three_ends(nuisances):
    model = ParetoVI(nuisances, n_hidden=16, n_latent=3, seed=0)
    both = [CRITIC, CRITIC | {"target": "quality"}]
    model.train(**SHORT | {"objective": ["classifier", "mine"], "objective_kwargs": both, "n_points": 6})
    assert len(model.front.path.controls) == 5
    assert model.front.to_dataframe()["kind"].tolist() == ["extreme", *["conditional"] * 3, "extreme", "extreme"]
    model.select(preference=[0.5, 0.2, 0.3])
    np.testing.assert_allclose(model.preference, [0.5, 0.2, 0.3])


def test_what_is_left_of_every_traded_nuisance_is_judged():
    cells = simulate_batches(n_cells=400, n_genes=40, n_batches=4, n_types=2, batch_strength=2.0, seed=0)
    number = cells.obs["batch"].cat.codes.to_numpy()
    cells.obs["batch"], cells.obs["donor"] = (number // 2).astype(str), (number % 2).astype(str)
    ParetoVI.setup_anndata(cells, batch_key="batch", nuisance_keys=["donor"])
    model = ParetoVI(cells, n_hidden=16, n_latent=3, seed=0)
    both = [CRITIC, CRITIC | {"target": "donor"}]
    model.train(**SHORT | {"objective": ["classifier", "mine"], "objective_kwargs": both, "n_points": 6})
    table = model.front.to_dataframe()
    left = table[["batch_left", "donor_left", "donor_left_low", "donor_left_high"]]
    assert left.notna().all(axis=None)
    assert (left["donor_left_low"] <= left["donor_left"]).all()
    before = left[["batch_left", "donor_left"]]
    model.audit(progress=False)
    pd.testing.assert_frame_equal(model.front.to_dataframe()[before.columns], before)


@pytest.mark.parametrize("objective", ["mine", "mine_exact", "smile", "mmd", "hsic", "total_correlation"])
def test_every_objective_has_a_path(cells, objective):
    options = CRITIC if objective in ("mine", "mine_exact", "smile") else {}
    model = ParetoVI(cells, n_hidden=16, n_latent=3, seed=0)
    model.train(**SHORT | {"objective": objective, "objective_kwargs": options})
    assert np.isfinite(model.front.points()).all()


def test_what_cannot_be_a_path_is_refused(cells):
    model = ParetoVI(cells, preset="paper", seed=0)
    with pytest.raises(ValueError, match="preset='paper' trains every point apart"):
        model.train(**SHORT)
    model = ParetoVI(cells, n_hidden=16, n_latent=3, seed=0)
    with pytest.raises(ValueError, match="'n_ends' follows from the model"):
        model.train(**SHORT | {"objective_kwargs": {"n_ends": 2}})


def test_the_control_points_begin_at_the_module_and_are_mixed_into_it(model):
    module = model.module
    trainable = [p for p in module.parameters() if p.requires_grad]
    start = copies(trainable)
    path = PathWeights(module, 2)
    path.place(np.array([0.4, 0.6]))
    for now, before in zip(trainable, start, strict=True):
        torch.testing.assert_close(now, before)
    for p in path.parameters_of(2):
        p.data.add_(1.0)
    path.place(np.array([0.5, 0.5]))
    for now, before in zip(trainable, start, strict=True):
        torch.testing.assert_close(now, before + 0.25)
    path.place(np.array([1.0, 0.0]))
    assert same(trainable, start)


def test_gradients_go_to_the_control_points_by_their_coefficients(model):
    path = PathWeights(model.module, 2)
    gradients = [torch.ones_like(p) for p in path.parameters_of(0)]
    gradients[0] = None
    path.distribute_gradients(gradients, np.array([0.5, 0.5]))
    assert [path.parameters_of(control)[0].grad for control in range(3)] == [None] * 3
    assert all(p.grad is None for p in path.parameters_of(0)), "the start stays"
    assert all((p.grad == 0.5).all() for p in path.parameters_of(1)[1:])
    assert all((p.grad == 0.25).all() for p in path.parameters_of(2)[1:])


@pytest.mark.parametrize(("share", "moved"), [(0.0, []), (0.5, [1, 2]), (1.0, [2])])
def test_a_step_moves_what_has_a_share_in_it(plan, monkeypatch, share, moved):
    made, batches = plan
    monkeypatch.setattr(made, "_draw_place", lambda: np.array([1 - share, share]))
    before = [copies(made.path.parameters_of(control)) for control in range(3)]
    made.training_step(batches[0], 0)
    assert [c for c in range(3) if not same(before[c], made.path.parameters_of(c))] == moved


def test_a_step_moves_down_the_weighted_sum(plan, monkeypatch):
    made, batches = plan
    shares = np.array([0.4, 0.6])
    monkeypatch.setattr(made, "_draw_place", lambda: shares)
    monkeypatch.setattr(made, "_train_critics", lambda *args: None)
    # Without dropout, and at posterior means, a step sees the same function twice.
    made.eval()
    losses = []
    for _ in range(60):
        made.training_step(batches[0], 0)
        losses.append(preference_at(shares) @ SCALER.scale(np.array(made.minibatch_losses[-1])))
    assert np.mean(losses[-10:]) < np.mean(losses[:10])


@pytest.mark.parametrize(("share", "moved"), [(0.0, []), (0.5, [1, 2]), (1.0, [2])])
def test_running_statistics_belong_to_places(plan, monkeypatch, share, moved):
    made, batches = plan
    monkeypatch.setattr(made, "_draw_place", lambda: np.array([1 - share, share]))
    before = [copies(made.path.statistics_of(control)) for control in range(3)]
    assert before[0]
    made.training_step(batches[0], 0)
    assert [c for c in range(3) if not same(before[c], copies(made.path.statistics_of(c)))] == moved


def test_running_statistics_of_a_place_become_those_of_its_minibatches(plan):
    """What a module is told of two places, its control points say again of these and of the end between."""
    made, _ = plan
    path, told = made.path, {1.0: 7.0, 0.5: 3.0}
    first = next(layer for layer in made.module.modules() if isinstance(layer, _BatchNorm))
    for _ in range(200):
        for share, value in told.items():
            shares = np.array([1 - share, share])
            path.place(shares)
            first.running_mean.lerp_(torch.full_like(first.running_mean, value), 0.3)
            path.update_statistics(shares)
    for share, value in told.items():
        path.place(np.array([1 - share, share]))
        torch.testing.assert_close(first.running_mean, torch.full_like(first.running_mean, value), rtol=1e-2, atol=0)
    state = path.to_path().state(preference_at([0.5, 0.5]))
    name = next(name for name in path.statistic_names if name.endswith("running_mean"))
    torch.testing.assert_close(state[name], torch.full_like(first.running_mean, 3.0), rtol=1e-2, atol=0)


def test_running_statistics_are_found_on_another_device(plan):
    """A module that is moved gets new tensors for its running statistics, as this copy of them in place does."""
    made, _ = plan
    made.module._apply(torch.clone)
    for values in made.path.statistics_of(2):
        values.data.fill_(5.0)
    made.path.place(np.array([0.0, 1.0]))
    layers = [layer for layer in made.module.modules() if isinstance(layer, _BatchNorm)]
    assert all((layer.running_mean == 5.0).all() for layer in layers)
    layers[0].running_mean.fill_(6.0)
    made.path.update_statistics(np.array([0.0, 1.0]))
    assert (made.path.statistics_of(2)[0] > 5.0).all()


def test_a_running_variance_is_never_negative(plan):
    made, _ = plan
    for values in made.path.statistics_of(1):
        values.data.fill_(-50.0)
    made.path.place(np.array([0.5, 0.5]))
    variances = [layer.running_var for layer in made.module.modules() if isinstance(layer, _BatchNorm)]
    assert all((values >= 0).all() for values in variances)
    state = made.path.to_path().state([0.5, 0.5])
    assert all((values >= 0).all() for name, values in state.items() if name.endswith("running_var"))


def test_places_cover_the_path_and_its_ends(plan):
    made, _ = plan
    places = np.array([made._draw_place() for _ in range(2000)])
    np.testing.assert_allclose(places.sum(1), 1)
    assert (places[:, 1] == 1).mean() == pytest.approx(0.2, abs=0.03)
    between = places[(places > 0).all(1), 1]
    assert np.histogram(between, 5, (0, 1))[0].min() > 0.15 * len(between)


def test_validation_judges_several_places(plan):
    made, batches = plan
    with torch.no_grad():
        made.validation_step(batches[0], 0)
        made.on_validation_epoch_end()
    record = made.history[-1]
    assert len(made.judged_places()) == 5
    # All places are the same network before the first step.
    assert record["classifier_validation_start"] != record["classifier_validation_end"], "the critic sees the place"
    assert record["generative_loss_validation_start"] == pytest.approx(
        record["generative_loss_validation_end"], rel=0.05
    )
    assert np.isfinite(made.merit)


@pytest.mark.parametrize("objective", [Classifier, Mine])
def test_a_critic_on_a_path_sees_the_place(objective):
    torch.manual_seed(0)
    critic = objective(3, 2, on="mean", **CRITIC).along_path(2)
    assert critic.n_ends == 1
    assert critic.fresh().n_ends == 1
    z = torch.randn(50, 3)
    labels = torch.arange(50) % 2
    values = []
    for share in (0.0, 1.0):
        context = Context({"batch": labels}, shares=torch.tensor([1 - share, share]).expand(50, 2))
        torch.manual_seed(1)
        with torch.no_grad():
            values.append(float(critic(z, torch.distributions.Normal(z, torch.ones_like(z)), context)))
    assert values[0] != values[1]


def test_a_plain_scvi_model_has_a_path(adata, untrained, fit):
    model = untrained(adata)
    front = fit(model, method="conditional", objective="classifier")
    assert apply_point(model, front, preference=0.37) == 1
    codes = model.get_latent_representation()
    assert apply_point(model, front, 1) == 1
    assert not np.array_equal(model.get_latent_representation(), codes)


def test_an_interrupted_refinement_leaves_the_selected_point(trained, cells):
    trained.select(2)
    codes = trained.get_latent_representation()
    with pytest.raises(KeyboardInterrupt):
        trained.refine(1, max_epochs=3, progress=False, callbacks=[StopAtEpoch(1)])
    np.testing.assert_array_equal(trained.get_latent_representation(), codes)


def test_objectives_that_learn_with_the_model_are_refused_before_training(model, prepare):
    with pytest.raises(ValueError, match="does not take deep_clustering"):
        prepare(model, method="conditional", objective="deep_clustering", objective_kwargs={"n_clusters": 3})
