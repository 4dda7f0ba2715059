from __future__ import annotations

import pandas as pd
import pytest
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger

from scpareto.datasets import simulate_batches
from scpareto.model import ParetoVI

PLAN = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}
SHORT = {"max_epochs": 4, "max_epochs_pretrain": 2, "n_points": 4, "plan_kwargs": PLAN, "progress": False}


class Metrics(Callback):
    """What a trainer's metrics are when a training or a validation ends."""

    def __init__(self):
        self.at_train_end, self.at_validation_end = [], []

    def on_train_end(self, trainer, pl_module):
        self.at_train_end.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    def on_validation_end(self, trainer, pl_module):
        self.at_validation_end.append({name: float(value) for name, value in trainer.callback_metrics.items()})


@pytest.fixture(scope="module", params=["pareto_mtl", "conditional"])
def trained(request, tmp_path_factory):
    adata = simulate_batches(300, 40, seed=0)
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model, metrics = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0), Metrics()
    logger = CSVLogger(tmp_path_factory.mktemp("logs"))
    model.train(**SHORT, method=request.param, callbacks=[metrics], logger=logger)
    return model, metrics, logger


def test_every_training_reports_its_losses(trained):
    model, metrics, _ = trained
    parts = {name.split("/")[0] for found in metrics.at_validation_end for name in found if "/" in name}
    of_points = {"path"} if model.front.method == "conditional" else {f"point_{n}" for n in model.front.numbers}
    assert parts == {"pretraining"} | of_points
    history = model.front.metadata["history"]["pretraining"]["generative_loss_validation"]
    reported = [f for f in metrics.at_validation_end if "pretraining/generative_loss_validation" in f]
    values = [found["pretraining/generative_loss_validation"] for found in reported]
    assert values == pytest.approx(history)


def test_the_selected_point_is_logged_last(trained):
    model, metrics, logger = trained
    logger.save()
    table = pd.read_csv(f"{logger.log_dir}/metrics.csv")
    assert "pretraining/generative_loss_train" in table
    row = model.front.to_dataframe().set_index("point").loc[model.selected]
    for name in ("batch_left", "structure_kept", "generative_loss_validation"):
        values = table[f"selected_{name}"].dropna()
        assert values.to_numpy() == pytest.approx(row[name], rel=1e-5)
        assert values.index.min() > table["pretraining/generative_loss_train"].last_valid_index()
    # Callbacks of the user's see trainings only.
    assert not any("selected_leakage_mean" in found for found in metrics.at_train_end)
