"""One tiny trained model for the whole room, and what is needed to train others like it."""

from __future__ import annotations

import numpy as np
import pytest
import scanpy as sc
import torch
from anndata import AnnData
from lightning.pytorch.callbacks import Callback
from scipy import sparse

from scpareto.datasets import simulate_batches
from scpareto.model import ParetoVI

# Short fresh critics and few bootstraps: these tests are about the frame, not about the numbers of the audit.
SHORT = {"n_bootstrap": 5, "critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}}
TRAINING = {
    "max_epochs": 4,
    "max_epochs_pretrain": 2,
    "preferences": [0.7, 0.3],
    "method": "pareto_mtl",
    "objective": "mine",
    "plan_kwargs": SHORT,
    "progress": False,
}


class InterruptAt(Callback):
    """Do as if the user pressed Ctrl-C at the end of the given epoch, counted over all trainings of the front."""

    def __init__(self, epoch):
        self.epoch = epoch
        self.seen = 0

    def on_train_epoch_end(self, trainer, pl_module):
        self.seen += 1
        if self.seen == self.epoch:
            raise KeyboardInterrupt


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    # The first parallel numba function of a process sets the number of OpenMP threads, and so PyTorch's.
    sc.pp.normalize_total(AnnData(sparse.csr_matrix(np.ones((4, 4), dtype=np.float32))))
    torch.set_num_threads(1)


@pytest.fixture
def simulated():
    """Return unregistered cells that a test may change."""
    return simulate()


@pytest.fixture(scope="session")
def make_adata():
    return simulate


@pytest.fixture
def training():
    return dict(TRAINING)


@pytest.fixture
def interrupt_at():
    return InterruptAt


@pytest.fixture(scope="session")
def trained():
    """Return a trained model that no test may change."""
    return fit(seed=0)


@pytest.fixture(scope="session")
def conditional():
    """Return a small model with one training for all preferences, which no test may change."""
    return fit(seed=0, init={"n_hidden": 16}, method=None, objective=None, max_epochs=6)


@pytest.fixture
def fit_model():
    return fit


@pytest.fixture(scope="session")
def saved(trained, tmp_path_factory):
    """Return the folder of the trained model."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    trained.save(folder)
    return folder


@pytest.fixture
def own(saved):
    """Return a copy of the trained model, with data of its own, that a test may change."""
    return ParetoVI.load(saved, simulate())


def simulate():
    adata = simulate_batches(240, 60, n_batches=2, n_types=3, seed=0)
    adata.layers["counts"] = adata.X.copy()
    return adata


def fit(seed=0, adata=None, setup=None, init=None, **changes):
    adata = simulate() if adata is None else adata
    ParetoVI.setup_anndata(adata, **({"batch_key": "batch"} | (setup or {})))
    model = ParetoVI(adata, seed=seed, **(init or {}))
    model.train(**TRAINING | changes)
    return model
