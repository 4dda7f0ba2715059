"""Settings for every test, and the fixtures that several rooms share."""

from __future__ import annotations

import logging
import os
from dataclasses import fields
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"

import matplotlib
import numpy as np
import pytest
import scvi
import torch
from hypothesis import settings

from scpareto import datasets
from scpareto.front import FrontOptions, _fit_front, _prepare, _train_front, fit_front
from scpareto.model import ParetoVI

matplotlib.use("Agg")
torch.set_num_threads(1)

# The first example of a test may compile numba code or import scvi: time says nothing about it. CI draws the same
# examples every time, so that a red run is about the change.
settings.register_profile("scpareto", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("scpareto")

# A script that tests run in processes of their own; collected for docstring examples, it would not find its neighbours.
collect_ignore = ["front/two_processes.py"]

# Child loggers: lightning sets the level of the parents when it is imported.
for name in (
    "lightning.fabric.utilities.seed",
    "lightning.pytorch.accelerators.cuda",
    "lightning.pytorch.utilities.rank_zero",
):
    logging.getLogger(name).setLevel(logging.ERROR)


@pytest.fixture
def register_method(monkeypatch):
    """Register an integration method for one test: ``register_method(name, **properties)``, used as a decorator."""
    from scpareto.bench import _registry, register_method  # here, since few tests need it

    monkeypatch.setattr(_registry, "_METHODS", dict(_registry._METHODS))
    defaults = {"family": "linear", "library": "mine", "reference": ""}
    return lambda name, **properties: register_method(name, **defaults | properties)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real datasets named by SCPARETO_TEST_DATA; skip the test where there is none."""
    folder = os.environ.get("SCPARETO_TEST_DATA")
    if not folder:
        pytest.skip("SCPARETO_TEST_DATA names no folder of real datasets")
    if not Path(folder).is_dir():
        pytest.fail(f"SCPARETO_TEST_DATA is {folder!r}, which is not a folder")
    return Path(folder)


PLAN = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
DEFAULTS = {
    "objective": "mine",
    "method": "pareto_mtl",
    "n_points": 5,
    "max_epochs": 4,
    "max_epochs_pretrain": 2,
    "objective_kwargs": {"n_hidden": 8, "n_layers": 1},
    "seed": 1,
    "progress": False,
    "accelerator": "cpu",
}


class Prepared:
    """A front whose arguments are checked, and its points, also where its training is interrupted."""

    def __init__(self, model, **kwargs):
        own = {field.name for field in fields(FrontOptions)}
        further = {name: value for name, value in kwargs.items() if name not in own}
        chosen = {name: value for name, value in kwargs.items() if name in own}
        self.model = model
        self.now = _prepare.prepare(model, FrontOptions(**chosen, trainer_kwargs=further))
        self.settings, self.split = self.now.metadata, self.now.problem.split

    def run(self):
        return _fit_front.finish_front(self.now, self.model)

    def front(self):
        return _train_front.assemble_front(self.now)


def _simulate(**options):
    arguments = {"n_cells": 200, "n_genes": 40, "n_batches": 2, "n_types": 3, "counts_per_gene": 2.0, "seed": 0}
    adata = datasets.simulate_batches(**arguments | options)
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    return adata


def _untrained(adata, seed=0, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return scvi.model.SCVI(adata, **{"n_hidden": 16, "n_latent": 3} | options)


def _with_defaults(kwargs):
    return DEFAULTS | kwargs | {"plan_kwargs": PLAN | kwargs.get("plan_kwargs", {})}


def _simulate_nuisances(**columns):
    """Two batches, three donors, a quality that goes with the batch, and clusters of several kinds."""
    adata = _simulate()
    rng, second = np.random.default_rng(0), (adata.obs["batch"] == "batch_1").to_numpy()
    adata.obs["donor"] = rng.choice(["ada", "ben", "cem"], 200)
    adata.obs["quality"] = second + rng.normal(size=200)
    # One cluster is found in one batch only.
    adata.obs["niche"] = np.where(second & (rng.random(200) < 0.5), "own", "shared")
    adata.obs["gap"] = adata.obs["niche"].where(adata.obs["niche"] == "own")
    adata.obsm["soft"] = rng.dirichlet(np.ones(3), 200)
    adata.obsm["raw"] = 2 * adata.obsm["soft"]
    for name, values in columns.items():
        adata.obs[name] = values
    ParetoVI.setup_anndata(adata, batch_key="batch", nuisance_keys=["donor", "quality"])
    return adata


@pytest.fixture(scope="session")
def simulate():
    """Simulate registered data: ``simulate(**options)``."""
    return _simulate


@pytest.fixture(scope="session")
def untrained():
    """Build a plain scVI model: ``untrained(adata, seed=0, **options)``; equal seeds, equal weights."""
    return _untrained


@pytest.fixture(scope="session")
def fit():
    """Learn a front of three points that is over soon, or one with other arguments: ``fit(model, **kwargs)``."""
    return lambda model, **kwargs: fit_front(model, **_with_defaults(kwargs))


@pytest.fixture(scope="session")
def prepare():
    """Check the arguments as ``fit`` does, without training: ``prepare(model, **kwargs)``."""
    return lambda model, **kwargs: Prepared(model, **_with_defaults(kwargs))


@pytest.fixture(scope="session")
def adata():
    return _simulate()


@pytest.fixture
def model(adata):
    return _untrained(adata)


@pytest.fixture(scope="session")
def simulate_nuisances():
    """Simulate registered data with several nuisances and clusterings: ``simulate_nuisances(**columns_of_obs)``."""
    return _simulate_nuisances


@pytest.fixture(scope="session")
def nuisances():
    return _simulate_nuisances()


@pytest.fixture(scope="session")
def untrained_paretovi():
    """Build a model that knows nuisances: ``untrained_paretovi(adata)``; all of them have equal weights."""
    return lambda adata: ParetoVI(adata, n_hidden=16, n_latent=3, seed=0)


@pytest.fixture(scope="session")
def trained(adata, fit):
    """A front and its model, which is in the state of the last trained point."""
    model = _untrained(adata)
    return fit(model), model
