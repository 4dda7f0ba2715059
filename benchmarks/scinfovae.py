"""What an epoch of ScInfoVAE costs, beside scVI with the same width and as many layers.

    python benchmarks/scinfovae.py --cells 2000 5000 --epochs 3 --repeats 3

Processor time of one thread per cell and epoch, of the pre-training and of the fine-tuning (refreshes included), as a
ratio to `scvi.model.SCVI` on the same counts, whose networks have three layers of 256 (the nearest to 500-256-256 that
it offers), and the largest memory that the process has held. Writes results/scinfovae.csv, one row per repeat.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from pathlib import Path

import pandas as pd

TABLE = Path(__file__).parent / "results" / "scinfovae.csv"
N_GENES, BATCH_SIZE = 500, 256
N_HIDDEN = (500, 256, 256)
WORKLOADS = ("scvi", "pretraining", "finetuning")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[2000, 5000])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = []
    for n_cells in arguments.cells:
        for repeat in range(arguments.repeats):
            # A process each, because a process never gives back the memory that it has held.
            measured = {}
            for workload in WORKLOADS:
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    measured[workload] = pool.apply(measure, (workload, n_cells, arguments.epochs))
            base = measured["scvi"]
            for workload, (seconds, megabytes) in measured.items():
                rows.append(
                    {
                        "workload": workload,
                        "cells": n_cells,
                        "repeat": repeat,
                        "microseconds_per_cell_epoch": 1e6 * seconds,
                        "ratio": seconds / base[0],
                        "megabytes": megabytes,
                        "megabytes_more": megabytes - base[1],
                    }
                )
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    TABLE.parent.mkdir(exist_ok=True)
    table.to_csv(TABLE, index=False, float_format="%.4g")
    print(table.groupby(["cells", "workload"], sort=False)[["ratio", "megabytes_more"]].median().to_string())


def measure(workload: str, n_cells: int, epochs: int) -> tuple[float, float]:
    """Seconds per cell and epoch, the start of the training taken off, and megabytes."""
    import resource

    import torch

    torch.set_num_threads(1)
    # Twice the epochs less once the epochs leaves the epochs alone.
    train = {"scvi": train_scvi, "pretraining": train_scinfovae, "finetuning": finetune_scinfovae}[workload]
    once, twice = (train(n_cells, n) for n in (epochs, 2 * epochs))
    return (twice - once) / (epochs * 0.9 * n_cells), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def simulated(n_cells: int):
    """Sparse counts of 500 genes."""
    import torch

    import scpareto as sp

    adata = sp.datasets.simulate_batches(n_cells, N_GENES, n_batches=1, n_types=8, seed=0)
    torch.set_num_threads(1)
    return adata


def train_scvi(n_cells: int, epochs: int) -> float:
    import scvi

    from scpareto._runtime import quiet_lightning

    adata = simulated(n_cells)
    scvi.model.SCVI.setup_anndata(adata)
    model = scvi.model.SCVI(adata, n_hidden=256, n_layers=3, gene_likelihood="zinb")
    begun = time.process_time()
    with quiet_lightning():
        model.train(
            epochs,
            batch_size=BATCH_SIZE,
            train_size=0.9,
            accelerator="cpu",
            devices=1,
            enable_progress_bar=False,
        )
    return time.process_time() - begun


def scinfovae(n_cells: int):
    import scpareto as sp

    adata = simulated(n_cells)
    sp.model.ScInfoVAE.setup_anndata(adata)
    return sp.model.ScInfoVAE(adata, n_clusters=8, n_hidden=N_HIDDEN, seed=0)


def train_scinfovae(n_cells: int, epochs: int) -> float:
    model = scinfovae(n_cells)
    begun = time.process_time()
    model.train(epochs, 0, batch_size=BATCH_SIZE, patience=None, progress=False, accelerator="cpu")
    return time.process_time() - begun


def finetune_scinfovae(n_cells: int, epochs: int) -> float:
    model = scinfovae(n_cells)
    begun = time.process_time()
    model.train(
        1, epochs, batch_size=BATCH_SIZE, patience=None, tol=0.0, restore_best=None, progress=False, accelerator="cpu"
    )
    return time.process_time() - begun


if __name__ == "__main__":
    main()
