"""One owner of every argument of a front."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields

import pytest

from scpareto.front import FrontOptions, fit_front
from scpareto.front._documented import split_parameters
from scpareto.front._options import REFUSED
from scpareto.model import ParetoVI

NOT_OF_A_MODEL = {"seed", "preset"}
"""What ParetoVI is told when it is made."""


def owned():
    """Arguments with their defaults, but for what goes to the Trainer."""
    return {field.name: field.default for field in fields(FrontOptions) if field.init and field.default is not MISSING}


@pytest.mark.parametrize(
    ("function", "further", "lacks"), [(fit_front, {"model"}, set()), (ParetoVI.train, {"self"}, NOT_OF_A_MODEL)]
)
def test_signatures_have_every_argument_with_its_default(function, further, lacks):
    parameters = inspect.signature(function).parameters
    known = {name: p.default for name, p in parameters.items() if name not in further | {"trainer_kwargs"}}
    assert known == {name: value for name, value in owned().items() if name not in lacks}
    assert parameters["trainer_kwargs"].kind is inspect.Parameter.VAR_KEYWORD


@pytest.mark.parametrize("function", [fit_front, ParetoVI.train])
def test_every_argument_is_documented_as_its_owner_says(function):
    texts, owner = split_parameters(function.__doc__), split_parameters(FrontOptions.__doc__)
    assert "{options" not in function.__doc__
    documented = {name.strip() for names in texts for name in names.split(",")}
    assert set(inspect.signature(function).parameters) - {"self", "trainer_kwargs"} <= documented
    shared = texts.keys() & owner.keys()
    assert len(shared) >= 16
    for name in shared:
        assert texts[name] == owner[name]


REFUSALS = [
    ({"executor_kwargs": {"num_cpus": 1}}, "executor_kwargs are given without an executor"),
    ({"executor": "ray", "warm_start": "path"}, "one point after the other"),
    ({"trainer_kwargs": {"precision": "16-mixed"}}, "half precision"),
    ({"datamodule": object(), "executor": "ray", "method": "pareto_mtl"}, "cells of a data module are read by this"),
    ({"datamodule": object(), "load_sparse_tensor": True}, "A data module has loaders of its own"),
    ({"max_epochs": 5, "max_epochs_pretrain": 5}, "max_epochs=5 is the whole training and max_epochs_pretrain=5"),
    ({"split": [[0], [1], [2]], "train_size": 0.5}, "train_size and validation_size do not go with it"),
    ({"split": [[0]], "datasplitter_kwargs": {"external_indexing": [[0], [1]]}}, "Give one of them"),
    ({"method": "conditional", "warm_start": "path"}, "method='conditional' has none"),
    ({"method": "conditional", "objective": ["mmd", "deep_clustering"]}, "does not take deep_clustering"),
    ({"method": "conditional", "executor": "ray"}, "is one training"),
    ({"method": "conditional", "preset": "paper"}, "trains every point apart"),
]


@pytest.mark.parametrize(("options", "told"), REFUSALS)
def test_combinations_are_refused_without_a_model(options, told):
    with pytest.raises(ValueError, match=told):
        FrontOptions(**options)


def test_every_refusal_is_tried():
    assert len(REFUSALS) == len(REFUSED)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"executor": "dask"}, "executor='dask' is not one of None, 'ray'"),
        ({"warm_start": "end"}, "warm_start='end' is not one of 'start', 'path'"),
        ({"preset": "published"}, "preset='published' is unknown. Choose None or 'paper'"),
        ({"method": "adam"}, "'adam'.*pareto_mtl"),
    ],
)
def test_unknown_choices_are_refused_with_the_known_ones(options, told):
    with pytest.raises(ValueError, match=told):
        FrontOptions(**options)


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ({}, "conditional"),
        ({"preset": "paper"}, "pareto_mtl"),
        ({"warm_start": "path"}, "pareto_mtl"),
        ({"executor": "ray"}, "pareto_mtl"),
        ({"objective": "deep_clustering"}, "pareto_mtl"),
        ({"method": "epo"}, "epo"),
    ],
)
def test_the_recommended_method_follows_from_the_others(options, method):
    assert FrontOptions(**options).solver == method
