"""Gradients of one step of a training in one process or several; see two_processes.py."""

from __future__ import annotations

from unittest import mock

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from scvi.model import SCVI
from torch.distributions import Normal

from scpareto._cells._indexed import CELL_INDEX
from scpareto.front import Split
from scpareto.objectives import Classifier
from scpareto.pareto import Scaler
from scpareto.train import PRACTICAL, FrontPlan
from scpareto.train._adapter import VAEAdapter
from scpareto.train._loop import run_training
from scpareto.train._path_plan import PathPlan, PathWeighing
from scpareto.train._weighing import FixedWeighing

N_CELLS = 64
"""Cells of the step, all processes together: all the training cells there are, so that it has the same ones."""


class NoiseOfCells(VAEAdapter):
    """Samples the code of each cell with noise of its own, whichever process does it; usually processes draw anew."""

    def __init__(self, model):
        super().__init__(model)
        shape = (model.adata.n_obs, model.module.n_latent)
        self.noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))

    def forward(self, tensors):
        noise = self.noise[tensors[CELL_INDEX].long().flatten()]
        with mock.patch.object(Normal, "rsample", lambda qz, *shape: qz.loc + qz.scale * noise):
            return super().forward(tensors)


class Keep(Callback):
    """Keeps the gradients after each step."""

    def __init__(self, parameters):
        self.parameters, self.steps = parameters, []

    def on_train_batch_end(self, trainer, plan, outputs, batch, index):
        self.steps.append([None if p.grad is None else p.grad.clone() for p in self.parameters])


def front_plan(adapter, objective, recipe):
    plan = FrontPlan(adapter, [objective], FixedWeighing([0.01, 1.0]), recipe)
    return plan, dict(plan.module.named_parameters())


def path_plan(adapter, objective, recipe):
    plan = PathPlan(adapter, [objective.along_path(2)], PathWeighing(Scaler("start", [50.0, 0.0], [60.0, 0.5])), recipe)
    # The first place that this seed draws lies between the ends.
    plan.start_piece(0)
    return plan, {f"{control}.{i}": p for control in (1, 2) for i, p in enumerate(plan.path.parameters_of(control))}


PLANS = {"front": front_plan, "path": path_plan}


def gradients_of_a_step(adata, which, *, n_processes, **options):
    """Gradients by parameter of an epoch of one step, with losses per cell, no batch norm and no critic steps."""
    torch.manual_seed(0)
    model = SCVI(adata, n_hidden=16, n_latent=3, dropout_rate=0.0, use_batch_norm="none", use_layer_norm="none")
    objective = Classifier(3, 2, on="mean", n_hidden=8, n_layers=1)
    # Critics learn from codes drawn at random; a bound below zero, as of this one, would have no gradient.
    recipe = PRACTICAL.with_options({"n_critic": 0, "floor": False, "safeguards": {"gradient_clip": None}})
    plan, parameters = PLANS[which](NoiseOfCells(model), objective, recipe)
    keep, cells = Keep(list(parameters.values())), np.arange(adata.n_obs)
    split = Split(cells[:N_CELLS], cells[N_CELLS : N_CELLS + 32], cells[N_CELLS + 32 :])
    run_training(
        plan,
        model.adata_manager,
        split,
        max_epochs=1,
        batch_size=N_CELLS // n_processes,
        callbacks=[keep],
        accelerator="cpu",
        devices=n_processes,
        **options,
    )
    return [dict(zip(parameters, step, strict=True)) for step in keep.steps]
