"""Cells per second of a plain training of ParetoVI, relative to scVI with the same architecture on the same cells.

    python benchmarks/throughput.py --cells 4000 --epochs 3 --repeats 3

The shared start of a front is a plain generative training. Counts of 2,000 genes, of which a tenth or half are not
zero; minibatches of 128 and 512 cells; processor time of one thread, the start of the training taken off. Both sides
minimise the same loss; `loss` is the negative ELBO of validation cells after the longer training. Writes
results/throughput.csv, one row per repeat.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import time
from pathlib import Path

import pandas as pd

TABLE = Path(__file__).parent / "results" / "throughput.csv"
N_GENES, SHARE = 2000, 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = []
    for repeat, density, batch_size in itertools.product(range(arguments.repeats), (0.1, 0.5), (128, 512)):
        measured = {}
        for workload in ("scvi", "paretovi"):
            # A process each, because a process never gives back the memory that it has held.
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                call = (workload, arguments.cells, density, batch_size, arguments.epochs)
                measured[workload] = pool.apply(measure, call)
        for workload, (seconds, megabytes, loss) in measured.items():
            rows.append(
                {
                    "workload": workload,
                    "density": density,
                    "batch_size": batch_size,
                    "repeat": repeat,
                    "cells_per_second": 1 / seconds,
                    "ratio": measured["scvi"][0] / seconds,
                    "megabytes": megabytes,
                    "loss": loss,
                }
            )
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    TABLE.parent.mkdir(exist_ok=True)
    table.to_csv(TABLE, index=False, float_format="%.4g")
    print(table.groupby(["density", "batch_size", "workload"])[["ratio", "megabytes", "loss"]].median().to_string())


def measure(workload: str, n_cells: int, density: float, batch_size: int, epochs: int) -> tuple[float, float, float]:
    """Seconds per cell and epoch, megabytes, and the loss of validation cells."""
    import resource

    import torch

    adata = simulated(n_cells, density)
    torch.set_num_threads(1)
    train = {"scvi": train_scvi, "paretovi": train_paretovi}[workload]
    train(adata, batch_size, 1)  # imports and first calls
    (once, _), (twice, loss) = (train(adata, batch_size, n) for n in (epochs, 2 * epochs))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (twice - once) / (epochs * SHARE * n_cells), megabytes, loss


def simulated(n_cells: int, density: float):
    """Sparse counts of eight types and two batches, thinned to a density."""
    import numpy as np
    from anndata import AnnData
    from scipy import sparse

    rng = np.random.default_rng(0)
    types, batches = rng.integers(8, size=n_cells), rng.integers(2, size=n_cells)
    rates = rng.gamma(1.0, size=(8, N_GENES))[types] * rng.gamma(5.0, 0.2, size=(2, N_GENES))[batches]
    # The mean of 1 - exp(-c r) over rates is the density.
    low, high = 1e-3, 1e2
    for _ in range(40):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if (1 - np.exp(-middle * rates)).mean() < density else (low, middle)
    adata = AnnData(sparse.csr_matrix(rng.poisson(low * rates).astype(np.float32)))
    adata.obs["batch"] = [f"batch {b}" for b in batches]
    return adata


def split_of(n_cells: int) -> list:
    import numpy as np

    order = np.random.default_rng(1).permutation(n_cells)
    cut = int(SHARE * n_cells)
    return [order[:cut], order[cut:-2], order[-2:]]


def train_scvi(adata, batch_size: int, epochs: int) -> tuple[float, float]:
    import scvi

    from scpareto._runtime import quiet_lightning

    scvi.settings.seed = 0
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    model = scvi.model.SCVI(adata, n_layers=2)
    begun = time.process_time()
    with quiet_lightning():
        model.train(
            epochs,
            batch_size=batch_size,
            accelerator="cpu",
            devices=1,
            enable_progress_bar=False,
            check_val_every_n_epoch=1,
            plan_kwargs={"n_epochs_kl_warmup": None, "lr": 1e-3, "eps": 1e-5},
            datasplitter_kwargs={"external_indexing": split_of(adata.n_obs)},
        )
    seconds = time.process_time() - begun
    return seconds, -float(model.get_elbo(indices=split_of(adata.n_obs)[1]))


def train_paretovi(adata, batch_size: int, epochs: int) -> tuple[float, float]:
    import scpareto as sp
    from scpareto._cells._split import Split
    from scpareto.train._adapter import get_adapter
    from scpareto.train._loop import run_training
    from scpareto.train._plan import FrontPlan
    from scpareto.train._recipe import PRACTICAL
    from scpareto.train._weighing import FixedWeighing

    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=0)
    begun = time.process_time()
    plan = FrontPlan(get_adapter(model), [], FixedWeighing([1.0]), PRACTICAL)
    run_training(
        plan,
        model.adata_manager,
        Split(*split_of(adata.n_obs)),
        max_epochs=epochs,
        batch_size=batch_size,
        accelerator="cpu",
        devices=1,
    )
    seconds = time.process_time() - begun
    model.is_trained_ = True
    return seconds, -float(model.get_elbo(indices=split_of(adata.n_obs)[1]))


if __name__ == "__main__":
    main()
