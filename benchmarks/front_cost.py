"""Cost of a 12-point front relative to one scVI training of the same epochs and batch size, in one run.

    python benchmarks/front_cost.py --epochs 40 --repeats 3

The yardstick is ``scvi.model.SCVI`` with the same architecture on the same training cells, for twice ``--epochs``: as
long as the shared start and the one training of ``method="conditional"`` together, each of ``--epochs``. Where points
are trained apart, each has ``--epochs`` after the shared start. Early stopping is off, so that all sides run all
epochs; fronts are audited as users get them. Writes results/front_cost.csv: processor seconds, the ratio of the whole
front, and the ratio per VAE epoch.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
import scanpy as sc
import scvi
import torch

import scpareto as sp
from scpareto.front import stratified_split

RESULT = Path(__file__).parent / "results" / "front_cost.csv"
N_POINTS, BATCH_SIZE = 10, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--objectives", nargs="+", default=["classifier", "mine"])
    parser.add_argument("--methods", nargs="+", default=["conditional", "pareto_mtl"])
    arguments = parser.parse_args()
    adata = load()
    torch.set_num_threads(1)
    split = stratified_split(adata.obs["batch"].to_numpy(), seed=0)
    one_scvi(adata, split, 2)  # imports and first-call costs belong to neither side
    rows = []
    for repeat in range(arguments.repeats):
        plain = one_scvi(adata, split, 2 * arguments.epochs)
        for method, objective in itertools.product(arguments.methods, arguments.objectives):
            front, epochs = one_front(adata, method, objective, arguments.epochs, repeat)
            rows.append(
                {
                    "method": method,
                    "objective": objective,
                    "repeat": repeat,
                    "epochs_per_point": arguments.epochs,
                    "scvi_seconds": plain,
                    "front_seconds": front,
                    "ratio": front / plain,
                    "ratio_per_vae_epoch": (front / epochs) / (plain / (2 * arguments.epochs)),
                }
            )
            print(rows[-1], flush=True)
    RESULT.parent.mkdir(exist_ok=True)
    table = pd.DataFrame(rows)
    table.to_csv(RESULT, index=False, float_format="%.3f")
    print(
        table.groupby(["method", "objective"])[["ratio", "ratio_per_vae_epoch"]]
        .agg(["mean", "std"])
        .round(2)
        .to_string()
    )


def load() -> sc.AnnData:
    """2,000 variable genes of pbmc_multistudy where the data folder is there, else a simulation of that size."""
    folder = os.environ.get("SCPARETO_TEST_DATA")
    if not folder:
        return sp.datasets.simulate_batches(1865, 2000, n_batches=7, n_types=10, seed=0)
    adata = sc.read_h5ad(Path(folder) / "pbmc_multistudy.h5ad")
    normalised = adata.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    sc.pp.highly_variable_genes(normalised, n_top_genes=2000, batch_key="batch")
    return adata[:, normalised.var["highly_variable"].to_numpy()].copy()


def one_scvi(adata: sc.AnnData, split: sp.front.Split, epochs: int) -> float:
    """Seconds of one plain training."""
    scvi.settings.seed = 0
    data = adata.copy()
    scvi.model.SCVI.setup_anndata(data, batch_key="batch")
    model = scvi.model.SCVI(data, n_layers=2)
    begun = time.process_time()
    model.train(
        epochs,
        batch_size=BATCH_SIZE,
        enable_progress_bar=False,
        accelerator="cpu",
        devices=1,
        datasplitter_kwargs={"external_indexing": [split.train, split.validation, split.test]},
    )
    return time.process_time() - begun


def one_front(adata: sc.AnnData, method: str, objective: str, epochs: int, seed: int) -> tuple[float, int]:
    """Seconds of one front, and the number of VAE epochs in it."""
    data = adata.copy()
    sp.model.ParetoVI.setup_anndata(data, batch_key="batch")
    model = sp.model.ParetoVI(data, seed=seed)
    begun = time.process_time()
    model.train(
        2 * epochs,
        max_epochs_pretrain=epochs,
        method=method,
        objective=objective,
        n_points=N_POINTS + 2,  # and the two ends
        batch_size=BATCH_SIZE,
        accelerator="cpu",
        plan_kwargs={"early_stopping": False},
        progress=False,
    )
    seconds = time.process_time() - begun
    histories = model.front.metadata["history"].values()
    return seconds, sum(len(history["epoch"]) for history in histories)


if __name__ == "__main__":
    main()
