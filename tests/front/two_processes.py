"""One of two processes that train together; writes what it saw to ``<folder>/<rank>.pt``. See test_distributed.py."""

from __future__ import annotations

import copy
import os
import sys
from unittest import mock

import numpy as np
import scvi
import torch
from lightning.pytorch.callbacks import Callback
from one_step import PLANS, gradients_of_a_step
from torch import nn

from scpareto._cells._indexed import CELL_INDEX
from scpareto._runtime._processes import average_array, average_tensors, broadcast_from_first, compute_mean_gradient
from scpareto.datasets import simulate_batches
from scpareto.front import _collapse, _store, stratified_split
from scpareto.model import ParetoVI
from scpareto.objectives import Mine
from scpareto.pareto import Scaler, get_solver, preference_vectors
from scpareto.train import PRACTICAL, FrontPlan, TrainingDiverged
from scpareto.train._adapter import get_adapter
from scpareto.train._loop import KeepBest, run_training
from scpareto.train._path_plan import PathWeighing
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


class Ends(Callback):
    """States in which the trainings of a front end, and the best ones on the way, before they are exchanged."""

    def __init__(self):
        self.seen = []

    def on_train_end(self, trainer, plan):
        best = next((callback.best.state for callback in trainer.callbacks if isinstance(callback, KeepBest)), None)
        state = {name: values for name, values in plan.state_dict().items() if values.numel()}
        self.seen.append((plan.label, copy.deepcopy({"end": state} | (best or {}))))


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
    shared = {"callbacks": callbacks, "batch_size": 32}
    return run_training(plan, model.adata_manager, split, **TOGETHER, **shared | options)


TOGETHER = {"accelerator": "cpu", "devices": 2, "strategy": "ddp"}
SHORT = {
    "max_epochs_pretrain": 2,
    "method": "conditional",
    "n_points": 4,
    "batch_size": 32,
    "objective_kwargs": {"n_hidden": 8, "n_layers": 1},
    "plan_kwargs": {
        "critic_warmup": {"max_epochs": 2},
        "de_novo": {"max_epochs": 2},
        "n_bootstrap": 2,
        "n_critic": 1,
        "patience": 1,
    },
    "progress": False,
}


def front_of(adata, folder, max_epochs, **options):
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model, ends = ParetoVI(adata, n_hidden=16, n_latent=3, seed=0), Ends()
    model.train(max_epochs, **SHORT, **TOGETHER, **options, callbacks=[ends], checkpoint_dir=folder)
    front = model.front
    path = None if front.path is None else front.path.to_plain()
    found = {"table": front.to_dataframe(), "path": path, "history": front.metadata["history"], "ends": ends.seen}
    return found | {"codes": model.get_latent_representation()}


def early_front_of(adata, folder):
    """A front whose path seems to become worse all the time, so that the training ends as soon as it may."""
    with mock.patch.object(PathWeighing, "merit", lambda weighing, losses: -losses[0]):
        return front_of(adata, folder, 14)


def collapsed_front_of(adata, folder):
    """A front that is found to have collapsed, after a short training, and is trained apart."""

    flat = mock.patch.object(_collapse, "_flat_objectives", return_value={1: "classifier"})
    lower = mock.patch.object(_collapse, "_MAX_SHARE_LEFT", float("inf"))
    with flat, lower:
        return front_of(adata, folder, 4, on_collapse="apart")


def floored(plan, own):
    """Value and gradient of a loss of 2 x, of which the process has the value ``own``."""
    x = nn.Parameter(torch.tensor(own / 2))
    losses, values = plan._apply_floor([None, 2 * x])
    return [float(values[1]), float(compute_mean_gradient(losses[1], [x])[0])]


def diverging(forward):
    def wrapped(batch):
        encoded, generative = forward(batch)
        return encoded, generative * float("nan")

    return wrapped


def main(folder, rank):
    torch.set_num_threads(1)
    adata = simulate_batches(n_cells=200, n_genes=40, n_batches=2, n_types=3, counts_per_gene=2.0, seed=0)
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    # One process, while this one knows of no other yet.
    one = {which: gradients_of_a_step(adata, which, n_processes=1) for which in PLANS}
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
    found["one"] = one
    found["two"] = {which: gradients_of_a_step(adata, which, n_processes=2, strategy="ddp") for which in PLANS}

    used, unused = (nn.Parameter(torch.full(shape, 2.0)) for shape in ((2, 3), (4,)))
    gradients = compute_mean_gradient((1 + rank) * (used**2).sum(), [used, unused])
    found["gradients"] = [None if gradient is None else gradient.tolist() for gradient in gradients]
    found["tensors"] = [
        t.tolist() for t in average_tensors([torch.full((2, 1), float(rank)), torch.tensor(4.0 * rank)])
    ]
    found["floored"] = [floored(plan, own) for own in ((-1.0, 2.0)[rank], (-3.0, 2.0)[rank])]
    found["average_array"] = average_array(np.array([rank, 10.0, np.nan if rank else 1.0])).tolist()
    found["first"] = broadcast_from_first({"rank": rank, "tensor": torch.full((2,), rank)})

    other = build(model, grid)
    if rank == 1:
        other.adapter.forward = diverging(other.adapter.forward)
    try:
        train(other, model, split, [], max_epochs=1)
    except TrainingDiverged as error:
        found["diverged"] = str(error)

    with mock.patch.object(_store, "write_atomically", wraps=_store.write_atomically) as write:
        found["early"] = early_front_of(adata, f"{folder}/early")
    found["written"] = [call.args[0].name for call in write.call_args_list]
    found["again"] = early_front_of(adata, f"{folder}/early")["ends"]
    found["collapsed"] = collapsed_front_of(adata, f"{folder}/collapsed")
    torch.save(found, f"{folder}/{rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1], int(os.environ["RANK"]))
