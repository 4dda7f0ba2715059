"""Fronts whose critics never left their start: what the table, the scaler and the user are told."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from scpareto.front import refine_point
from scpareto.front._scalers import scalers_of_extremes
from scpareto.objectives import get_objective
from scpareto.pareto import Front
from scpareto.train import PRACTICAL

LOSSES = [f"mine_{part}" for part in ("train", "validation", "test")]
LIVING = {"max_epochs": 40, "lr": 1e-2, "patience": None}
# A critic that begins as a constant, and leaves that soon.
CONSTANT_AT_FIRST = {"n_layers": 5, "n_hidden": 32, "init": "normal"}
# Codes of so short a training hold next to nothing.
pytestmark = pytest.mark.filterwarnings("ignore:The losses of mine:UserWarning")
SHORT = {"n_points": 4, "max_epochs": 2, "max_epochs_pretrain": 1, "batch_size": 70}


def told_of(record, beginning):
    return [str(one.message) for one in record if str(one.message).startswith(beginning)]


def test_losses_of_the_published_front_are_marked_and_nan_where_critics_had_no_time(adata, untrained, fit):
    schedules = {"critic_warmup": {"max_epochs": 1}, "de_novo": {"max_epochs": 1}}
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        front = fit(untrained(adata), preset="paper", objective_kwargs={}, plan_kwargs=schedules, **SHORT)
    (warmup,), (scaler,), (whole,) = (
        told_of(record, beginning) for beginning in ("After its warm-up", "The losses of mine", "At points 0, 1, 2, 3")
    )
    assert "'mine'" in warmup
    assert "'mine'" in whole
    assert "mine_dead" in whole
    for way_out in ("max_epochs", "lr", "patience=None", "n_layers"):
        assert way_out in warmup
        assert way_out in whole
    assert "rounding" in scaler
    assert front.scaler.range[1] == 1
    table = front.to_dataframe()
    assert table["mine_dead"].dtype == bool
    assert table["mine_dead"].all()
    assert table[LOSSES].isna().all(axis=None)
    assert table["generative_loss_test"].notna().all()
    assert Front.from_plain(front.to_plain()).table["mine_dead"].all()
    assert "mine_dead" in front.table.columns[-12:], "after the standard columns"


def test_points_are_marked_whose_training_had_a_dead_critic_though_the_judge_lives(adata, untrained, fit):
    idle = {"n_critic": 0, "critic_warmup": {"max_epochs": 0}, "de_novo": LIVING}
    with pytest.warns(UserWarning, match="At points 1, 2, 3 "):
        front = fit(untrained(adata), objective_kwargs=CONSTANT_AT_FIRST, plan_kwargs=idle, **SHORT)
    assert front.table["mine_dead"].tolist() == [False, True, True, True], "nothing but the ELBO is trained at point 0"
    assert front.table[LOSSES].notna().all(axis=None)


def test_along_a_path_a_dead_critic_marks_all_points(adata, untrained, fit):
    idle = {"n_critic": 0, "critic_warmup": {"max_epochs": 0}}
    with pytest.warns(UserWarning, match="At points 0, 1, 2, 3 "):
        front = fit(
            untrained(adata), method="conditional", objective_kwargs=CONSTANT_AT_FIRST, plan_kwargs=idle, **SHORT
        )
    assert front.table["mine_dead"].all()
    # What the probes of the judge read of the means, no critic was needed for.
    assert front.table[LOSSES].notna().all(axis=None)


def test_a_front_of_living_critics_has_no_mark_and_no_warning(adata, untrained, fit):
    living = {"critic_warmup": LIVING, "de_novo": LIVING}
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*the constant that it started as")
        front = fit(untrained(adata), objective_kwargs=CONSTANT_AT_FIRST, plan_kwargs=living, **SHORT)
    assert not [column for column in front.table if column.endswith("_dead")]


def test_a_refined_point_loses_its_mark(adata, untrained, fit):
    model = untrained(adata)
    idle = {"n_critic": 0, "critic_warmup": {"max_epochs": 0}, "de_novo": LIVING}
    with pytest.warns(UserWarning, match="At points 1, 2, 3 "):
        front = fit(model, objective_kwargs=CONSTANT_AT_FIRST, plan_kwargs=idle, **SHORT)
    front.metadata["recipe"]["critic_warmup"] |= LIVING
    refine_point(model, front, 1, max_epochs=1, progress=False)
    assert front.table["mine_dead"].tolist() == [False, False, True, True]


def extremes(rows):
    history = {"history": {"generative_loss_train": [300.0]}}
    names = ("generative_loss", "mine")
    return [
        history
        | {"row": {f"{name}_{part}": row[name] for name in names for part in ("train", "validation")} | row["marks"]}
        for row in rows
    ]


@pytest.mark.parametrize(("of_first", "expected", "told"), [(0.5, 0.5, 0), (np.nan, 1.0, 2)])
def test_payoff_takes_what_was_measured(of_first, expected, told):
    marks = {"mine_dead": True}
    rows = [
        {"generative_loss": 300.0, "mine": of_first, "marks": marks if np.isnan(of_first) else {}},
        {"generative_loss": 320.0, "mine": np.nan, "marks": marks},
    ]
    objective = get_objective("mine", n_latent=2, n_categories=2)
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        scalers = scalers_of_extremes(extremes(rows), ["generative_loss", "mine"], [objective], PRACTICAL)
    assert len(told_of(record, "The losses of mine")) == told
    for scaler in scalers:
        assert scaler.minimum[1] == 0
        assert scaler.range[1] == pytest.approx(expected)


def test_losses_that_are_not_numbers_for_another_reason_are_still_refused():
    rows = [{"generative_loss": 300.0, "mine": value, "marks": {}} for value in (0.5, np.nan)]
    objective = get_objective("mine", n_latent=2, n_categories=2)
    with pytest.raises(ValueError, match="finite"):
        scalers_of_extremes(extremes(rows), ["generative_loss", "mine"], [objective], PRACTICAL)
