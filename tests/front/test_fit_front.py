from __future__ import annotations

import copy
import logging

import numpy as np
import pandas as pd
import pytest
import scvi
import torch
from lightning.pytorch.callbacks import Callback

from scpareto._runtime._seeding import child_seed
from scpareto.front import _apart, apply_point, stratified_split
from scpareto.pareto import get_solver, preference_vectors
from scpareto.train._weighing import SolverWeighing

pytestmark = pytest.mark.filterwarnings("ignore:The losses of objective:UserWarning")


def assert_equal(front, other, points=None):
    """The same points, bit for bit: table, weights and histories.

    All points are judged together. Of some of them the judge has the same numbers up to rounding, once it has judged.
    """
    some = points is not None
    points = other.numbers if points is None else points
    tables = [f.to_dataframe().set_index("point").loc[points].drop(columns="non_dominated") for f in (front, other)]
    if some:
        trained = [c for c in tables[0] if c in tables[1] and c.startswith(("preference", "mine_", "generative"))]
        pd.testing.assert_frame_equal(*(table[trained] for table in tables), check_exact=True)
        judged = [c for c in ("information",) if all(c in table for table in tables)]
        pd.testing.assert_frame_equal(*(table[judged] for table in tables), rtol=1e-5)
    else:
        pd.testing.assert_frame_equal(*tables, check_exact=True)
    for point in points:
        states = front.state(point), other.state(point)
        assert states[0].keys() == states[1].keys()
        for name, tensor in states[0].items():
            assert torch.equal(tensor, states[1][name]), name
        histories = [f.metadata["history"][f"point_{point}"] for f in (front, other)]
        assert histories[0].keys() == histories[1].keys()
        for name, values in histories[0].items():
            np.testing.assert_array_equal(values, histories[1][name])


class AtPoint(Callback):
    """Do something after the first step of the training of one candidate."""

    def __init__(self, number, action, n_between=3):
        self.preference = preference_vectors(n_between)[number - 1]
        self.action = action

    def on_train_batch_end(self, trainer, plan, *args):
        if isinstance(plan.weighing, SolverWeighing) and np.array_equal(plan.weighing.preference, self.preference):
            self.action(plan)


def interrupt(plan):
    raise KeyboardInterrupt


def poison(plan):
    with torch.no_grad():
        plan.module.z_encoder.mean_encoder.bias.fill_(float("nan"))


def test_points_are_numbered_from_uncorrected_to_strongest(trained):
    table = trained[0].to_dataframe()
    assert table["point"].tolist() == [0, 1, 2, 3, 4]
    assert table["kind"].tolist() == ["extreme", "candidate", "candidate", "candidate", "extreme"]
    grid = preference_vectors(3)
    np.testing.assert_allclose(
        table[["preference_generative_loss", "preference_mine"]], [[1, 0], *grid, [0, 1]], atol=1e-12
    )
    assert (np.diff(table["preference_mine"]) >= 0).all()
    assert trained[0].missing == []
    assert (table["seed"] == 1).all()
    assert np.isfinite(table.select_dtypes("number")).all().all()


def test_states_differ_between_points(trained):
    front = trained[0]
    flat = [torch.cat([t.flatten().float() for t in front.state(point).values()]) for point in range(5)]
    for i in range(5):
        for j in range(i):
            assert not torch.equal(flat[i], flat[j])


def test_front_records_what_it_was_made_of(trained, adata):
    metadata = trained[0].metadata
    assert (metadata["objective"], metadata["method"], metadata["preset"]) == (["mine"], "pareto_mtl", "practical")
    assert (metadata["seed"], metadata["max_epochs"], metadata["target"]) == (1, 4, "batch")
    assert metadata["failures"] == {}
    split = stratified_split(adata.obs["batch"].cat.codes, seed=child_seed(1, 20_000))
    for name, index in split.items():
        assert metadata["indices"][name].tolist() == index.tolist()
    assert metadata["recipe"]["de_novo"]["max_epochs"] == 2
    assert set(metadata["history"]) == {"pretraining", *(f"point_{i}" for i in range(5))}


def test_scaler_spans_the_validation_losses_of_the_extremes(trained):
    front = trained[0]
    table, scaler = front.to_dataframe().set_index("point"), front.metadata["scaler"]
    assert scaler["name"] == "payoff"
    ends = table.loc[[0, 4], ["generative_loss_validation", "mine_validation"]].to_numpy()
    assert scaler["minimum"][0] == pytest.approx(ends[0, 0])
    assert scaler["minimum"][1] == pytest.approx(min(ends[1, 1], 0.0)), "an information is at least zero"
    assert scaler["maximum"][0] >= ends[:, 0].max() - 1e-9


@pytest.mark.parametrize("which", [0, 2, 4])
def test_table_holds_the_negative_elbo_of_test_cells(trained, which):
    """scvi-tools' own ELBO of the applied point, over many draws of the codes."""
    front, model = trained
    assert apply_point(model, front, which) == which
    test = front.metadata["indices"]["test"].numpy()
    torch.manual_seed(0)
    draws = np.array([-float(model.get_elbo(indices=test)) for _ in range(60)])
    assert draws.std() < 1
    found = front.to_dataframe().set_index("point").loc[which, "generative_loss_test"]
    assert abs(found - draws.mean()) < 5 * draws.std()


def test_apply_point_loads_the_weights_and_the_model_is_usable(trained, adata, untrained):
    front, _ = trained
    model = untrained(adata, seed=5)
    codes = []
    for which in (1, 3, 1):
        assert apply_point(model, front, which) == which
        for name, tensor in model.module.state_dict().items():
            assert torch.equal(tensor, front.state(which)[name])
        assert not model.module.training
        codes.append(model.get_latent_representation())
    np.testing.assert_array_equal(codes[0], codes[2])
    assert not np.allclose(codes[0], codes[1])
    knee = apply_point(model, front, "knee")
    assert knee == front.find("knee")


def test_same_seed_same_bits_whatever_the_callers_generators(adata, untrained, fit):
    fronts = []
    for i, seed in enumerate((1, 1, 2)):
        torch.manual_seed(100 + i)
        np.random.seed(100 + i)  # noqa: NPY002 - the caller's
        before = torch.get_rng_state()
        fronts.append(fit(untrained(adata), method="scalarization", n_points=4, max_epochs=3, seed=seed))
        assert torch.equal(torch.get_rng_state(), before)
    assert_equal(fronts[1], fronts[0])
    losses = [front.to_dataframe()["generative_loss_test"].to_numpy() for front in fronts]
    assert (losses[0] != losses[2]).all()


def test_an_interrupted_front_goes_on_bit_for_bit(trained, adata, simulate, untrained, fit, prepare, tmp_path, caplog):
    torch.manual_seed(7)
    run = prepare(untrained(adata), checkpoint_dir=tmp_path, callbacks=[AtPoint(2, interrupt)])
    with caplog.at_level(logging.WARNING, "scpareto"), pytest.raises(KeyboardInterrupt):
        run.run()
    assert run.front().numbers == [0, 1, 4]
    assert run.front().missing == [2, 3]
    assert "missing: [2, 3]" in caplog.text
    assert_equal(run.front(), trained[0], [0, 1, 4])

    class Trained(Callback):
        epochs = 0

        def on_train_epoch_start(self, trainer, plan):
            assert isinstance(plan.weighing, SolverWeighing), "the extremes and the shared start are kept"
            assert plan.weighing.preference[1] >= preference_vectors(3)[1, 1] - 1e-12
            self.epochs += 1

    torch.manual_seed(8)
    counter = Trained()
    resumed = fit(untrained(adata), checkpoint_dir=tmp_path, callbacks=[counter])
    assert counter.epochs >= 4
    assert resumed.missing == []
    assert_equal(resumed, trained[0])
    np.testing.assert_equal(resumed.metadata["scaler"], trained[0].metadata["scaler"])
    # Nothing is left to train; another run may not use the folder.
    again = fit(untrained(adata), checkpoint_dir=tmp_path, callbacks=[AtPoint(1, interrupt), AtPoint(2, interrupt)])
    assert_equal(again, trained[0])
    for changed in ({"seed": 2}, {"max_epochs": 5}, {"n_points": 6}, {"plan_kwargs": {"lr": 1.0}}):
        name = {"n_points": "preferences", "plan_kwargs": "recipe.lr"}.get(next(iter(changed)), next(iter(changed)))
        with pytest.raises(ValueError, match=f"{name} was"):
            prepare(untrained(adata), checkpoint_dir=tmp_path, **changed)
    with pytest.raises(ValueError, match="start was"):
        prepare(untrained(adata, seed=1), checkpoint_dir=tmp_path)
    counts = simulate()
    counts.X.data[0] += 1
    with pytest.raises(ValueError, match="data was"):
        prepare(untrained(counts), checkpoint_dir=tmp_path)


def test_a_diverged_point_is_left_out_and_leaves_the_others(trained, adata, untrained, fit, caplog):
    with caplog.at_level(logging.WARNING, "scpareto"):
        front = fit(untrained(adata), callbacks=[AtPoint(2, poison)])
    assert front.missing == [2]
    assert front.numbers == [0, 1, 3, 4]
    assert list(front.metadata["failures"]) == ["2"]
    assert "not finite" in front.metadata["failures"]["2"]
    assert "Point 2 diverged" in caplog.text
    assert_equal(front, trained[0], [0, 1, 3, 4])


def test_if_every_candidate_diverges_it_is_an_error(adata, untrained, prepare):
    run = prepare(untrained(adata), n_points=4, max_epochs=3, callbacks=[AtPoint(1, poison, 2), AtPoint(2, poison, 2)])
    with pytest.raises(RuntimeError, match="Every candidate diverged"):
        run.run()
    assert run.front().numbers == [0, 3]
    assert list(run.front().metadata["failures"]) == ["1", "2"]


def test_all_points_start_from_the_shared_start_and_the_decoder_is_refitted(adata, untrained, fit):
    starts, ends, modes = [], [], []

    class Watch(Callback):
        def on_train_batch_start(self, trainer, plan, batch, index):
            idle = {name.split(".")[1] for name, layer in plan.named_modules() if name and not layer.training}
            modes.append((len(starts), idle))

        def on_train_start(self, trainer, plan):
            starts.append((plan, copy.deepcopy(plan.module.state_dict()), copy.deepcopy(plan.objectives.state_dict())))

        def on_train_end(self, trainer, plan):
            ends.append({name: p.detach().clone() for name, p in plan.module.named_parameters()})

    fit(untrained(adata), n_points=4, max_epochs=3, method="scalarization", callbacks=[Watch()])
    # Dropout and batch normalisation work in every training, not only in the first; the refit's encoders stand still.
    assert all(idle == ({"z_encoder", "l_encoder"} if number == 4 else set()) for number, idle in modes)
    active = [plan.weighing.active for plan, _, _ in starts]
    # Shared start, uncorrected, strongest and its refit, two candidates.
    assert active == [[True], [True, False], [False, True], [True, False], [True, True], [True, True]]
    for i in (2, 4, 5):
        for kept, other in zip(starts[1][1:], starts[i][1:], strict=True):
            for name, tensor in kept.items():
                assert torch.equal(tensor, other[name]), name
    refit_start, refit_end = starts[3][1], ends[3]
    changed = {name for name, tensor in refit_end.items() if not torch.equal(tensor, refit_start[name])}
    assert any(name.startswith("decoder") for name in changed)
    assert not [name for name in changed if "encoder." in name and not name.startswith("decoder")]
    # The strongest extreme does not decode: its own training leaves the decoder alone, and the noise of the codes too,
    # since the objective judges their means.
    for name, tensor in ends[2].items():
        trained = name.startswith("z_encoder") and not name.startswith("z_encoder.var_encoder")
        assert torch.equal(tensor, starts[2][1][name]) == (not trained), name


def test_published_recipe_standardises_by_the_trajectories_of_the_extremes(adata, untrained, fit):
    losses = []

    class Watch(Callback):
        def on_train_end(self, trainer, plan):
            losses.append(np.array(plan.minibatch_losses))

    front = fit(
        untrained(adata),
        preset="paper",
        n_points=4,
        max_epochs=3,
        objective_kwargs={},
        plan_kwargs={"critic_warmup": {"max_epochs": 1}, "de_novo": {"max_epochs": 1}},
        batch_size=70,
        callbacks=[Watch()],
    )
    generative, nuisance = losses[1][:, 0], losses[2][:, 1]
    assert len(generative) == len(nuisance) == 2
    scaler = front.metadata["scaler"]
    assert scaler["name"] == "trajectory"
    assert scaler["minimum"][0] == pytest.approx(generative.min())
    assert scaler["maximum"][0] == pytest.approx(generative.max())
    assert scaler["minimum"][1] == pytest.approx(nuisance.min())
    assert front.metadata["objective_options"]["mine"]["n_layers"] == 10
    assert front.metadata["recipe"]["n_critic"] == "epoch"
    assert front.metadata["recipe"]["critic_warmup"]["lr"] == 5e-5


def test_preferences_are_sorted_and_one_number_each_is_enough(model, prepare):
    for preferences in ([0.7, 0.1], [[0.3, 0.7], [0.9, 0.1]]):
        run = prepare(model, preferences=preferences)
        np.testing.assert_allclose(run.settings["preferences"], [[0.9, 0.1], [0.3, 0.7]])
    for method in ("pareto_mtl", "scalarization"):
        expected = type(get_solver(method, preferences=preference_vectors(2))).default_preferences(5)
        np.testing.assert_allclose(prepare(model, method=method, n_points=7).settings["preferences"], expected)


def test_none_means_the_recommended_ones_by_name(model, prepare):
    settings = prepare(model, method=None, objective=None).settings
    assert (settings["method"], settings["objective"]) == ("conditional", ["classifier"])


@pytest.mark.parametrize(
    "options", [{"preset": "paper"}, {"warm_start": "path"}, {"executor": "ray"}, {"objective": "deep_clustering"}]
)
def test_what_has_no_one_training_is_trained_apart_by_default(model, prepare, monkeypatch, options):
    monkeypatch.setattr("scpareto.front._executor.find_spec", lambda name: True)
    assert (
        prepare(model, **{"method": None, "objective": None, "objective_kwargs": None} | options).settings["method"]
        == "pareto_mtl"
    )


def test_seed_falls_back_on_that_of_scvi_tools(model, prepare, monkeypatch):
    monkeypatch.setattr(type(scvi.settings), "seed", 42)
    assert prepare(model, seed=None).settings["seed"] == 42
    monkeypatch.setattr(type(scvi.settings), "seed", None)
    assert prepare(model, seed=None).settings["seed"] == 0
    assert prepare(model, seed=0).settings["seed"] == 0


BAD = [
    ({"n_points": 3}, "n_points=3.*at least 4"),
    ({"n_points": 4.5}, "n_points=4.5"),
    ({"n_points": True}, "n_points=True"),
    ({"method": "adam"}, "'adam'.*pareto_mtl"),
    ({"objective": "nime"}, "'nime'.*mine"),
    ({"preset": "published"}, "'published'.*'paper'"),
    ({"plan_kwargs": {"learning_rate": 1}}, "'learning_rate'.*critic_lr"),
    ({"plan_kwargs": {"safeguards": {"clip": 1}}}, "'clip'.*gradient_clip"),
    ({"plan_kwargs": {"scaler": "ranks"}}, "ranks.*payoff"),
    ({"objective_kwargs": {"target": "donor"}}, "'donor'.*batch"),
    ({"objective_kwargs": {"layers": 3}}, "'layers'.*n_layers"),
    ({"objective_kwargs": {"on": "median"}}, "median.*mean, sample, both"),
    ({"solver_kwargs": {"eps": 0.1}}, "eps.*epsilon"),
    ({"preferences": [0.3]}, r"shape \(1, 2\)"),
    ({"preferences": [[0.2, 0.3, 0.5]] * 2}, r"shape \(2, 3\)"),
    ({"preferences": [-0.1, 0.5]}, "non-negative and sum to 1"),
    ({"preferences": [0.5, 1.1]}, "non-negative and sum to 1"),
    ({"preferences": [[0.2, 0.2], [0.5, 0.5]]}, "non-negative and sum to 1"),
    ({"preferences": [0.5, np.nan]}, "non-negative and sum to 1"),
    ({"split": [range(100), range(100, 200)]}, "2 parts"),
    ({"split": [range(100), range(90, 150), range(150, 200)]}, "share no cell"),
    ({"split": [range(100), [], range(150, 200)]}, "0 validation cells are too few"),
    ({"split": [range(100), range(100, 150), range(150, 201)]}, "200.*200 cells"),
    ({"split": [range(100), range(100, 150), [-1]]}, "-1.*200 cells"),
    ({"precision": 16}, "half precision"),
    ({"precision": "16-mixed"}, "half precision"),
    ({"max_epochs": 0}, "max_epochs=0"),
    ({"max_epochs_pretrain": 0}, "max_epochs_pretrain=0"),
    ({"batch_size": 0}, "batch_size=0"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_arguments_are_refused_before_any_training(model, fit, monkeypatch, tmp_path, arguments, message):
    monkeypatch.setattr("scpareto.train._train.run_training", lambda *args, **kwargs: pytest.fail("trained"))
    with pytest.raises(ValueError, match=message):
        fit(model, checkpoint_dir=tmp_path / "points", **arguments)
    assert not (tmp_path / "points").exists()


def test_one_batch_is_refused(untrained, simulate, fit):
    adata = simulate(n_cells=30)
    one = adata[adata.obs["batch"] == "batch_0"].copy()
    scvi.model.SCVI.setup_anndata(one, batch_key="batch")
    with pytest.raises(ValueError, match=r"'batch' has one level only \(batch_0\).*batch_key"):
        fit(untrained(one))


def test_a_given_split_is_used(model, prepare):
    split = [np.arange(0, 140), np.arange(140, 160), np.arange(160, 190)]
    run = prepare(model, split=split)
    for (_, found), expected in zip(run.split.items(), split, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_along_the_path_a_point_begins_where_the_one_before_it_ended(adata, untrained, fit, monkeypatch):
    begun = {}
    train_and_judge = _apart.train_and_judge

    def noted(problem, cells, judging, point, progress):
        begun[point.number] = point.trainings[0].start.module
        return train_and_judge(problem, cells, judging, point, progress)

    monkeypatch.setattr(_apart, "train_and_judge", noted)
    front = fit(untrained(adata), warm_start="path")
    for number in (1, 2, 3):
        before = front.state(number - 1)
        assert all(torch.equal(begun[number][name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"warm_start": "end"}, "warm_start='end' is not one of 'start', 'path'"),
        ({"warm_start": "path", "method": "conditional"}, "method='conditional' has none"),
    ],
)
def test_bad_warm_starts_are_refused(model, prepare, changes, told):
    with pytest.raises(ValueError, match=told):
        prepare(model, **changes)
