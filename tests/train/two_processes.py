"""One of two processes that train together; writes what it saw to ``<folder>/<rank>.pt``. See test_distributed.py."""

from __future__ import annotations

import copy
import os
import sys

import numpy as np
import scvi
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from scpareto.datasets import simulate_batches
from scpareto.objectives import Mine
from scpareto.pareto import Scaler, get_solver, preference_vectors
from scpareto.train import PRACTICAL, FrontPlan, TrainingDiverged, stratified_split
from scpareto.train._adapter import get_adapter
from scpareto.train._data import CELL_INDEX
from scpareto.train._distributed import averaged, averaged_gradient, of_first_process
from scpareto.train._loop import run_training
from scpareto.train._weighing import SolverWeighing


class Watch(Callback):
    def __init__(self):
        self.start, self.cells, self.weights, self.merits = None, [], [], []

    def on_train_start(self, trainer, plan):
        self.start = numbers(plan)
        weigh = plan.weighing.weights

        def weights(losses, gramian):
            self.weights.append(weigh(losses, gramian).tolist())
            return np.array(self.weights[-1])

        plan.weighing.weights = weights

    def on_train_batch_start(self, trainer, plan, batch, index):
        if index == 0:
            self.cells.append([])
        self.cells[-1] += batch[CELL_INDEX].flatten().tolist()

    def on_validation_end(self, trainer, plan):
        self.merits.append(plan.merit)


def numbers(plan):
    return {
        "module": copy.deepcopy(plan.module.state_dict()),
        "objectives": copy.deepcopy(plan.objectives.state_dict()),
    }


def build(model, grid):
    solver = get_solver("pareto_mtl", preferences=grid)
    weighing = SolverWeighing(solver, grid[1], Scaler("payoff", [40.0, 0.0], [90.0, 0.5]), max_initial_epochs=1)
    mine = Mine(3, 2, n_hidden=8, n_layers=1, on="mean")
    return FrontPlan(get_adapter(model), [mine], weighing, PRACTICAL.with_options({"n_critic": 2}))


def train(plan, model, split, callbacks, **options):
    shared = {"accelerator": "cpu", "devices": 2, "strategy": "ddp", "callbacks": callbacks, "batch_size": 32}
    return run_training(plan, model.adata_manager, split, **shared | options)


def diverging(forward):
    def wrapped(batch):
        encoded, generative = forward(batch)
        return encoded, generative * float("nan")

    return wrapped


def main(folder, rank):
    torch.set_num_threads(1)
    adata = simulate_batches(n_cells=200, n_genes=40, n_batches=2, n_types=3, counts_per_gene=2.0, seed=0)
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    # Unequal on purpose: training together begins with the weights of the first.
    torch.manual_seed(rank)
    model = scvi.model.SCVI(adata, n_hidden=16, n_latent=3)
    grid = preference_vectors(3)
    plan, watch = build(model, grid), Watch()
    split = stratified_split(adata.obs["batch"])
    torch.manual_seed(5)
    n_epochs = train(plan, model, split, [watch], max_epochs=3, max_initial_epochs=1)
    found = {name: getattr(watch, name) for name in ("start", "cells", "weights", "merits")}
    found |= {"end": numbers(plan), "history": plan.history, "n_epochs": n_epochs, "after": float(torch.rand(()))}
    found["minibatch_losses"] = plan.minibatch_losses

    used, unused = (nn.Parameter(torch.full(shape, 2.0)) for shape in ((2, 3), (4,)))
    gradients = averaged_gradient((1 + rank) * (used**2).sum(), [used, unused])
    found["gradients"] = [None if gradient is None else gradient.tolist() for gradient in gradients]
    found["averaged"] = averaged(np.array([rank, 10.0, np.nan if rank else 1.0])).tolist()
    found["first"] = of_first_process({"rank": rank, "tensor": torch.full((2,), rank)})

    other = build(model, grid)
    if rank == 1:
        other.adapter.forward = diverging(other.adapter.forward)
    try:
        train(other, model, split, [], max_epochs=1)
    except TrainingDiverged as error:
        found["diverged"] = str(error)
    torch.save(found, f"{folder}/{rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1], int(os.environ["RANK"]))
