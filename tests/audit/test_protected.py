"""What is kept of a condition that must survive, in the ways in which conditions lie in batches."""

from __future__ import annotations

import numpy as np
import pytest

from scpareto.audit import Frame, judge_condition
from scpareto.audit._protected import classify_design
from scpareto.metrics import shared_populations

N_TYPES = 3


def cells(batch, condition, *, effect=2.5, batch_effect=3.0, seed=0):
    """Codes of types, a shift of the condition in one direction and one of each batch in others, and their parts."""
    rng = np.random.default_rng(seed)
    n = len(batch)
    types = rng.integers(N_TYPES, size=n)
    biology = np.zeros((n, 8))
    biology[:, :N_TYPES] = 8 * np.eye(N_TYPES)[types]
    level = np.unique(condition, return_inverse=True)[1]
    told = np.zeros((n, 8))
    told[:, 4] = effect * level
    shifts = np.zeros((len(np.unique(batch)), 8))
    shifts[:, 5:] = batch_effect * rng.normal(size=(len(shifts), 3))
    noise = rng.normal(size=(n, 8))
    everything = biology + told + shifts[np.unique(batch, return_inverse=True)[1]] + noise
    frame = Frame(batch, everything, (shared_populations(everything, batch, n_clusters=N_TYPES),), None, None, [])
    return frame, {"no_batch": biology + told + noise, "neither": biology + noise}


def table_of(frame, codes, condition, **options):
    return judge_condition(frame, codes, condition, name="condition", reference="components", n_bootstrap=50, **options)


def test_removing_the_batch_does_not_count_as_removing_a_condition_that_varies_within_batches():
    rng = np.random.default_rng(1)
    batch = np.repeat(["a", "b", "c"], 200)
    # Shares differ: the batch tells something about the condition.
    condition = np.where(rng.random(600) < np.repeat([0.3, 0.5, 0.7], 200), "ctrl", "stim")
    found = table_of(*cells(batch, condition), condition)
    assert found.design == "within batches"
    assert found.table.loc["no_batch", "kept"] > 90
    assert abs(found.table.loc["neither", "kept"]) < 10
    assert found.table["alarm"].to_dict() == {"no_batch": False, "neither": True, "components": False}
    assert "varies within batches" in found.notes[0]


def test_batches_of_one_condition_are_told_to_be_left_out_and_do_not_pass_for_condition():
    rng = np.random.default_rng(2)
    batch = np.repeat(["a", "b", "c", "d", "e"], 150)
    condition = np.where(np.isin(batch, ["a", "b"]), np.where(rng.random(750) < 0.5, "ctrl", "stim"), "ctrl")
    found = table_of(*cells(batch, condition), condition)
    assert found.design == "within batches"
    assert any("of 750 cells" in note for note in found.notes)
    assert found.table.loc["no_batch", "kept"] > 85
    assert found.table.loc["neither", "alarm"]


def test_with_three_batches_of_each_condition_what_holds_in_unseen_batches_is_told():
    batch = np.repeat(list("abcdefgh"), 120)
    condition = np.where(np.isin(batch, list("abcd")), "healthy", "ill")
    frame, codes = cells(batch, condition, effect=4.0, batch_effect=0.5)
    found = table_of(frame, codes, condition)
    assert found.design == "across batches"
    assert found.table.loc["no_batch", "kept"] > 80
    assert found.table.loc["neither", "alarm"]


@pytest.mark.parametrize(
    ("batches_of", "design", "told"),
    [
        ({"ctrl": ["a"], "stim": ["b"]}, "confounded", "the same partition of the cells"),
        ({"ctrl": ["a"], "stim": ["b", "c", "d"]}, "few batches", "not every condition has three batches"),
    ],
)
def test_no_percentage_is_given_where_batch_and_condition_cannot_be_told_apart(batches_of, design, told):
    batch = np.concatenate([np.repeat(own, 60) for own in batches_of.values()])
    condition = np.concatenate([np.repeat(name, 60 * len(own)) for name, own in batches_of.items()])
    found = table_of(*cells(batch, condition), condition)
    assert found.design == design
    assert found.table.empty
    assert told in found.notes[0]


def test_a_handful_of_cells_of_another_condition_does_not_make_a_design():
    batch = np.repeat(["a", "b"], 100)
    condition = np.where(batch == "a", "ctrl", "stim").astype(object)
    condition[:3] = "stim"
    assert classify_design(condition.astype(str), batch) == "confounded"


def test_a_condition_without_effect_has_no_percentage_and_no_alarm():
    rng = np.random.default_rng(3)
    batch = np.repeat(["a", "b"], 200)
    condition = np.where(rng.random(400) < 0.5, "ctrl", "stim")
    found = table_of(*cells(batch, condition, effect=0.0), condition)
    assert found.table["kept"].isna().all()
    assert not found.table["alarm"].any()
    assert any("nothing to protect" in note for note in found.notes)
