"""Time and memory of adjust_counts with the number of cells, matched once and three times.

    python benchmarks/adjust_counts.py --cells 10000 30000 100000 --repeats 2

Simulated sparse counts of three batches whose shares of types differ, 2,000 genes, 14 % non-zero. Neighbours are exact
up to 20,000 cells and by descent above. Every run has a process of its own, which compiles what is compiled at first
use on other data before it loads its own. Memory is the largest resident set less that before loading, and is given as
a multiple of the matrix as well, which is part of it. Composition differs, so that cells are matched three times unless
told otherwise: "ratio" is the processor time of that over one round, "memory_ratio" that of the peaks, on the same
cells in the same run. Writes results/adjust_counts.csv, a row for each size and repeat; rows of sizes that are not run
again stay. The growth is the slope of log seconds over log cells.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy import sparse

RESULT = Path(__file__).parent / "results" / "adjust_counts.csv"
MEGABYTE = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--genes", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    rows = []
    for n_cells in arguments.cells:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "counts.npz"
            # In a process of its own: memory of the simulation is not that of the estimate.
            with context.Pool(1) as pool:
                pool.apply(simulate, (n_cells, arguments.genes, path))
            for repeat in range(arguments.repeats):
                found = []
                for n_rounds in (1, 3):
                    with context.Pool(1) as pool:
                        found.append(pool.apply(measure, (path, n_rounds)))
                once, thrice = found
                rows.append(
                    {
                        "cells": n_cells,
                        "repeat": repeat,
                        **once,
                        "three_processor_seconds": thrice["processor_seconds"],
                        "three_peak_megabytes": thrice["peak_megabytes"],
                        "ratio": thrice["processor_seconds"] / once["processor_seconds"],
                        "memory_ratio": thrice["peak_megabytes"] / once["peak_megabytes"],
                    }
                )
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    if RESULT.exists():
        old = pd.read_csv(RESULT)
        table = pd.concat([old[~old["cells"].isin(arguments.cells)], table]).sort_values(["cells", "repeat"])
    RESULT.parent.mkdir(exist_ok=True)
    table.to_csv(RESULT, index=False, float_format="%.3f")
    means = table.groupby("cells").mean(numeric_only=True).drop(columns="repeat")
    print(means.round(2).to_string())
    if len(means) > 1:
        slope = np.polyfit(np.log(means.index), np.log(means["processor_seconds"]), 1)[0]
        print(f"processor time grows as cells to the power of {slope:.2f}")


def simulate(n_cells: int, n_genes: int, path: Path) -> None:
    import scpareto as sp

    adata = sp.datasets.simulate_multiplicative(n_cells, n_genes, scenario="S2", n_batches=3, mean_count=0.2, seed=0)
    sparse.save_npz(path, adata.X, compressed=False)
    adata.obs["batch"].to_pickle(path.with_suffix(".batch"))


def measure(path: Path, n_rounds: int) -> dict[str, float]:
    """Time and memory of one call."""
    from anndata import AnnData

    import scpareto as sp

    warnings.simplefilter("ignore")
    small = sp.datasets.simulate_multiplicative(6000, 50, mean_count=1.0)
    batch = pd.read_pickle(path.with_suffix(".batch"))
    # Descent is compiled for a minute, and small data are searched without it.
    sp.pp.adjust_counts(small, approximate=len(batch) > 20_000)
    del small
    before = resident()
    adata = AnnData(sparse.load_npz(path), obs=pd.DataFrame({"batch": batch}))
    matrix = sum(getattr(adata.X, part).nbytes for part in ("data", "indices", "indptr")) / MEGABYTE
    begun, wall = time.process_time(), time.perf_counter()
    sp.pp.adjust_counts(adata, n_rounds=n_rounds)
    seconds = {"processor_seconds": time.process_time() - begun, "seconds": time.perf_counter() - wall}
    assert adata.uns["scpareto"]["adjust_counts"]["n_rounds"] == n_rounds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    return {**seconds, "matrix_megabytes": matrix, "peak_megabytes": peak, "peak_over_matrix": peak / matrix}


def resident() -> float:
    """Resident set, megabytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MEGABYTE


if __name__ == "__main__":
    main()
