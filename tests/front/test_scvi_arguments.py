"""Arguments of scvi-tools' trainings: each works, or is refused with the reason."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import scvi
from scvi.train import Trainer, TrainingPlan

from scpareto._cells import split_in_two
from scpareto.front import FrontOptions
from scpareto.front._scvi_arguments import (
    LOADER_ARGUMENTS,
    PLAN_ARGUMENTS,
    TRAINER_ARGUMENTS,
    resolve_fractions,
    to_options,
)
from scpareto.model import ParetoVI
from scpareto.train import Recipe


def test_every_argument_of_scvi_is_one_of_ours():
    theirs, ours = (inspect.signature(cls.train).parameters for cls in (scvi.model.SCVI, ParetoVI))
    assert theirs.keys() - ours.keys() == set()


def test_every_argument_of_scvis_plan_is_a_field_of_the_recipe_or_has_a_reason():
    theirs = inspect.signature(TrainingPlan.__init__).parameters.keys() - {"self", "module", "loss_kwargs"}
    assert theirs - PLAN_ARGUMENTS.keys() == theirs & inspect.signature(Recipe).parameters.keys()


@pytest.mark.parametrize("fixed", [PLAN_ARGUMENTS, TRAINER_ARGUMENTS])
def test_defaults_of_scvi_are_not_refused(fixed):
    owner = TrainingPlan if fixed is PLAN_ARGUMENTS else Trainer
    parameters = inspect.signature(owner.__init__).parameters
    given = {name: parameters[name].default for name in fixed if name in parameters}
    given = {name: value for name, value in given.items() if not name.endswith("kl_warmup")}
    assert given
    if fixed is PLAN_ARGUMENTS:
        assert FrontOptions(plan_kwargs=given).plan_kwargs == {}
    else:
        assert FrontOptions(trainer_kwargs=given).trainer_kwargs == {}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"plan_kwargs": {"n_epochs_kl_warmup": 40}},
            "n_epochs_kl_warmup=40 does not go with a front: .*negative ELBO",
        ),
        ({"plan_kwargs": {"compile": True}}, "compile=True"),
        ({"plan_kwargs": {"on_step": True}}, "recorded once an epoch"),
        ({"trainer_kwargs": {"gradient_clip_val": 1.0}}, "gradient_clip_val=1.0 .*safeguards"),
        ({"trainer_kwargs": {"accumulate_grad_batches": 2}}, "larger batch_size"),
        ({"trainer_kwargs": {"enable_checkpointing": True}}, "checkpoint_dir"),
        ({"trainer_kwargs": {"early_stopping_monitor": "kl_local_validation"}}, "of which the ELBO is a part"),
        ({"trainer_kwargs": {"early_stopping_patience": 0}}, "early_stopping_patience=0 must be at least 1"),
        ({"early_stopping": "yes"}, "early_stopping='yes' must be True, False or None"),
        ({"datasplitter_kwargs": {"shuffle": False}}, "shuffle=False does not go with a front"),
    ],
)
def test_what_a_front_has_no_choice_in_is_refused_with_the_reason(options, told):
    with pytest.raises(ValueError, match=told):
        FrontOptions(**options)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"trainer_kwargs": {"max_epoch": 1}},
            "'max_epoch'. Did you mean max_epochs.*It takes objective, .*and what scvi.train.Trainer takes",
        ),
        (
            {"datasplitter_kwargs": {"drop_lasst": True}},
            "datasplitter_kwargs has no 'drop_lasst'. Choose from drop_last,",
        ),
        ({"plan_config": 3}, "plan_config=3 must be a dict"),
    ],
)
def test_unknown_arguments_are_refused_with_the_valid_ones(options, told):
    with pytest.raises(TypeError, match=told):
        FrontOptions(**options)


def test_unknown_fields_of_the_recipe_are_refused_with_the_nearest_first():
    with pytest.raises(ValueError, match=r"plan_kwargs has no 'weight_decya'. Choose from weight_decay, "):
        FrontOptions(plan_kwargs={"weight_decya": 0.0}).recipe({})


def test_early_stopping_is_part_of_the_recipe():
    given = {"early_stopping_patience": 7, "early_stopping_min_delta": 0.5, "early_stopping_warmup_epochs": 3}
    recipe = FrontOptions(early_stopping=True, preset="paper", trainer_kwargs=given).recipe({})
    assert (recipe.early_stopping, recipe.patience, recipe.least_gain, recipe.settling_epochs) == (True, 7, 0.5, 3)
    assert not FrontOptions(early_stopping=False).recipe({}).early_stopping
    assert not FrontOptions(trainer_config={"early_stopping": False}).recipe({}).early_stopping
    assert FrontOptions().recipe({}) == FrontOptions().defaults.recipe


def test_the_rate_of_the_points_follows_the_rate_of_the_model():
    assert FrontOptions(plan_kwargs={"lr": 1e-2}).recipe({}).lr_front == pytest.approx(1e-3)
    assert FrontOptions(plan_kwargs={"lr": 0}).recipe({}).lr_front == 0
    assert FrontOptions(plan_kwargs={"lr": 1e-2, "lr_front": 5e-5}).recipe({"lr_front": 1e-3}).lr_front == 5e-5
    assert FrontOptions(plan_kwargs={"lr": 1e-2}).recipe({"lr_front": 1e-3}).lr_front == pytest.approx(1e-2)


def test_of_a_config_object_counts_what_differs_from_its_defaults():
    config = pytest.importorskip("scvi.train._config")
    assert to_options(config.TrainingPlanConfig(lr=5e-4), "plan_config") == {"lr": 5e-4}
    options = FrontOptions(
        plan_config=config.TrainingPlanConfig(lr=5e-4, weight_decay=0.1),
        plan_kwargs={"weight_decay": 0.0},
        trainer_config=config.TrainerConfig(max_epochs=12, accelerator="cpu", enable_progress_bar=False),
    )
    assert options.plan_kwargs == {"lr": 5e-4, "weight_decay": 0.0}
    assert (options.max_epochs, options.accelerator, options.progress) == (12, "cpu", False)
    assert FrontOptions(max_epochs=3, trainer_config={"max_epochs": 12}).max_epochs == 3


@pytest.mark.parametrize("n", [1, 2, 3, 10, 99, 400])
def test_max_epochs_is_the_length_of_the_whole_training(n):
    start, rest = FrontOptions(max_epochs=n).lengths(400, 3)
    assert start >= 1
    assert rest >= 1
    assert start + rest == max(2, n)  # the shared start and what follows it have one epoch at least
    usual = FrontOptions().lengths(400, 3)
    assert abs(start / (start + rest) - usual[0] / sum(usual)) <= 1 / (start + rest) or n == 1


def test_lengths_by_default_and_where_the_start_is_given():
    assert FrontOptions().lengths(20_000, 1000) == (200, 200)
    assert FrontOptions(preset="paper").lengths(400, 3) == (200, 150)
    assert FrontOptions(max_epochs=50, max_epochs_pretrain=20).lengths(400, 3) == (20, 30)
    assert FrontOptions(max_epochs_pretrain=20).lengths(20_000, 1000) == (20, 200)


@pytest.mark.parametrize(
    ("train_size", "validation_size", "expected"),
    [
        (0.7, None, (0.7, 0.1, 0.2)),
        (0.9, 0.1, (0.9, 0.1 / 3, 0.2 / 3)),
        (0.5, 0.2, (0.5, 0.2, 0.3)),
        (None, 0.1, (0.7, 0.1, 0.2)),
        (None, 0.4, (0.6, 0.4 / 3, 0.8 / 3)),
    ],
)
def test_shares_leave_cells_to_judge_points_on(train_size, validation_size, expected):
    assert resolve_fractions(train_size, validation_size) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ((1.0, None), "no cells are left to judge points on"),
        ((0.9, 0.2), "more than all cells"),
        ((1.5, None), "train_size=1.5 must be a share"),
        ((0.5, 0), "validation_size=0 must be a share"),
        ((True, None), "train_size=True must be a share"),
    ],
)
def test_shares_that_leave_none_are_refused(sizes, told):
    with pytest.raises(ValueError, match=told):
        resolve_fractions(*sizes)


def test_every_loader_argument_that_is_refused_has_its_default_among_the_accepted():
    from scvi.dataloaders import AnnDataLoader

    parameters = inspect.signature(AnnDataLoader.__init__).parameters
    for name, fixed in LOADER_ARGUMENTS.items():
        if name in parameters and name not in ("batch_size", "shuffle"):
            assert parameters[name].default in fixed.values


def test_a_part_of_every_batch_is_for_the_test():
    labels = np.repeat(["a", "b"], [30, 6])
    first, second = split_in_two(np.arange(36), labels, 1 / 3, seed=0)
    np.testing.assert_array_equal(np.sort(np.concatenate([first, second])), np.arange(36))
    assert [int((labels[first] == name).sum()) for name in "ab"] == [10, 2]


def test_rows_of_two_parts_and_of_cells_in_order(model, prepare):
    n = model.adata.n_obs
    run = prepare(model, split=None, datasplitter_kwargs={"external_indexing": [np.arange(150), np.arange(150, n)]})
    np.testing.assert_array_equal(run.split.train, np.arange(150))
    np.testing.assert_array_equal(run.split.held_out, np.arange(150, n))
    assert len(run.split.test) == pytest.approx(2 * len(run.split.validation), abs=2)
    ordered = prepare(model, train_size=0.6, validation_size=0.15, shuffle_set_split=False).split
    np.testing.assert_array_equal(np.concatenate([ordered.validation, ordered.train, ordered.test]), np.arange(n))
    with pytest.raises(ValueError, match="external_indexing has 1 parts with cells"):
        prepare(model, datasplitter_kwargs={"external_indexing": [np.arange(150)]})


def test_too_few_cells_for_one_minibatch_are_refused(model, prepare):
    with pytest.raises(ValueError, match="drop_last=True leaves no minibatch"):
        prepare(model, batch_size=150, datasplitter_kwargs={"drop_last": True})
    assert prepare(model, batch_size=100, datasplitter_kwargs={"drop_last": True}).now.problem.loader_kwargs


def test_cells_without_a_batch_have_a_front_of_one_point(simulate, untrained, fit):
    adata = simulate(n_cells=60)
    scvi.model.SCVI.setup_anndata(adata)
    with pytest.warns(UserWarning, match="No batch_key was registered"):
        front = fit(untrained(adata))
    assert (len(front), front.missing, front.recommended) == (1, [], 0)
