"""How a front scales: over workers, over cells, and over cells that stay on disk.

    python benchmarks/scale.py --parts growth memory ray --repeats 1

- ray: seconds on the clock of a front of separately trained points, in this process and on two Ray workers.
- growth: processor seconds per cell of one epoch of the shared start, and peak memory over the sparse matrix and the
  memory of the imports, from 10,000 to 1,000,000 cells.
- memory: peak memory of a whole front (one epoch each, audit included) of cells in memory and of a backed file.

Counts of simulated cells, a tenth of which are not zero. Every measurement has a process of its own, because a process
never gives back the memory that it has held. Writes results/scale.csv, one row per measurement.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from anndata import AnnData

TABLE = Path(__file__).parent / "results" / "scale.csv"
N_GENES, BLOCK = 1000, 20_000
QUICK = {"critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}, "n_bootstrap": 5}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--largest", type=int, default=1_000_000, help="cells of the largest set of growth")
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = []
    for repeat in range(arguments.repeats):
        for part in arguments.parts:
            for case in PARTS[part]["cases"]:
                if case[0] <= arguments.largest:
                    found = in_a_process(PARTS[part]["measure"], *case)
                    rows.append({"part": part, "repeat": repeat} | found)
                    print(rows[-1], flush=True)
                    save(rows)
    print(pd.read_csv(TABLE).to_string(index=False))


def save(rows: list[dict[str, Any]]) -> None:
    """Write what there is, in place of older rows of the same parts."""
    table = pd.DataFrame(rows)
    if TABLE.exists():
        before = pd.read_csv(TABLE)
        table = pd.concat([before[~before["part"].isin(table["part"])], table])
    TABLE.parent.mkdir(exist_ok=True)
    table.to_csv(TABLE, index=False, float_format="%.4g")


def in_a_process(work: Any, *arguments: Any) -> Any:
    """Result of a function that is called in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def peak() -> float:
    """Megabytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def simulated(n_cells: int) -> AnnData:
    """Sparse counts of eight types and two batches, made block by block."""
    from anndata import AnnData
    from scipy import sparse

    rng = np.random.default_rng(0)
    profiles = rng.gamma(1.0, 0.11, size=(8, N_GENES)) * 1.05
    batches, parts = rng.integers(2, size=n_cells), []
    for first in range(0, n_cells, BLOCK):
        n = min(BLOCK, n_cells - first)
        rates = profiles[rng.integers(8, size=n)] * (1 + 0.5 * batches[first : first + n, None])
        counts = rng.poisson(rates).astype(np.float32)
        counts[:, 0] += 1
        parts.append(sparse.csr_matrix(counts))
    adata = AnnData(sparse.vstack(parts, format="csr"))
    adata.obs["batch"] = pd.Categorical([f"batch {b}" for b in batches])
    return adata


def megabytes_of(adata: AnnData) -> float:
    return (adata.X.data.nbytes + adata.X.indices.nbytes + adata.X.indptr.nbytes) / 2**20


def growth(n_cells: int) -> dict[str, Any]:
    """One epoch of the shared start."""
    import anndata
    import torch

    import scpareto as sp
    from scpareto._cells._split import stratified_split
    from scpareto.train._adapter import get_adapter
    from scpareto.train._loop import run_training
    from scpareto.train._plan import FrontPlan
    from scpareto.train._recipe import PRACTICAL
    from scpareto.train._weighing import FixedWeighing

    torch.set_num_threads(1)

    def epoch(adata: AnnData) -> float:
        sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
        model = sp.model.ParetoVI(adata, seed=0)
        split = stratified_split(adata.obs["batch"])
        plan = FrontPlan(get_adapter(model), [], FixedWeighing([1.0]), PRACTICAL)
        begun = time.process_time()
        run_training(plan, model.adata_manager, split, max_epochs=1, accelerator="cpu", devices=1)
        return time.process_time() - begun

    epoch(simulated(1000))  # imports and first calls
    imported = peak()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.h5ad"
        matrix = in_a_process(write, n_cells, path)
        adata = anndata.read_h5ad(path)
        seconds = epoch(adata)
    return {
        "case": f"{n_cells} cells",
        "n_cells": n_cells,
        "microseconds_per_cell": 1e6 * seconds / n_cells,
        "matrix_megabytes": matrix,
        "megabytes": peak(),
        "over_matrix": (peak() - imported) / matrix,
    }


def memory(n_cells: int, where: str) -> dict[str, Any]:
    """A whole front."""
    import anndata
    import torch

    import scpareto as sp

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.h5ad"
        matrix = in_a_process(write, n_cells, path)
        imported = peak()
        adata = anndata.read_h5ad(path, backed="r" if where == "on disk" else None)
        sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
        model = sp.model.ParetoVI(adata, seed=0)
        begun = time.process_time()
        model.train(2, max_epochs_pretrain=1, method="conditional", n_points=4, plan_kwargs=QUICK, progress=False)
        seconds = time.process_time() - begun
    return {
        "case": f"{n_cells} cells {where}",
        "n_cells": n_cells,
        "microseconds_per_cell": 1e6 * seconds / n_cells,
        "matrix_megabytes": matrix,
        "megabytes": peak(),
        "over_matrix": (peak() - imported) / matrix,
    }


def write(n_cells: int, path: Path) -> float:
    adata = simulated(n_cells)
    adata.write_h5ad(path)
    return megabytes_of(adata)


def on_ray(n_points: int, workers: int) -> dict[str, Any]:
    """A front of separately trained points, on the clock."""
    import torch

    import scpareto as sp

    torch.set_num_threads(1)
    adata = sp.datasets.simulate_batches(2000, 500, seed=0)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    options: dict[str, Any] = {"n_points": n_points, "method": "scalarization", "progress": False}
    if workers:
        import ray

        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
        options["executor"] = "ray"
    model = sp.model.ParetoVI(adata, seed=0)
    begun = time.perf_counter()
    model.train(60, max_epochs_pretrain=30, **options)
    seconds = time.perf_counter() - begun
    return {
        "case": f"{n_points} points, {workers} Ray workers" if workers else f"{n_points} points",
        "seconds": seconds,
    }


PARTS: dict[str, dict[str, Any]] = {
    "ray": {"measure": on_ray, "cases": [(8, 0), (8, 2)]},
    "growth": {"measure": growth, "cases": [(10_000,), (100_000,), (1_000_000,)]},
    "memory": {
        "measure": memory,
        "cases": [(n, where) for n in (10_000, 40_000, 160_000) for where in ("on disk", "in memory")],
    },
}


if __name__ == "__main__":
    main()
