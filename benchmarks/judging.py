"""What judging an embedding costs, from 2,000 to 1,000,000 cells that stay on disk.

    python benchmarks/judging.py --repeats 3

One embedding, and a second one beside it, of simulated sparse counts of 2,000 genes in a backed file. Every measurement
has a process of its own, because a process never gives back the memory that it has held. Writes results/judging.csv, a
row per measurement: seconds of the processor and on the clock, without imports, and peak memory. Aims: 2,000 cells in
5 s, 100,000 in 60 s, 1,000,000 in 120 s and 4 GB, on two cores.
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
from typing import Any

import numpy as np
import pandas as pd

TABLE = Path(__file__).parent / "results" / "judging.csv"
N_GENES, N_TYPES, N_BATCHES, DEPTH, BLOCK = 2000, 12, 4, 400, 20_000
SIZES = (2000, 100_000, 1_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=max(SIZES), help="cells of the largest set")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="threads of the linear algebra")
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n_cells in (n for n in SIZES if n <= arguments.largest):
            path = Path(folder) / f"{n_cells}.h5ad"
            in_a_process(write, n_cells, path)
            for repeat in range(arguments.repeats):
                for embeddings in (1, 2):
                    found = in_a_process(judged, path, embeddings, repeat)
                    rows.append({"n_cells": n_cells, "embeddings": embeddings, "seed": repeat} | found)
                    print(rows[-1], flush=True)
                    save(rows)
            path.unlink()
    print(summary(pd.read_csv(TABLE)).to_string())


def save(rows: list[dict[str, Any]]) -> None:
    """Write what there is, in place of older rows of as many cells."""
    table = pd.DataFrame(rows)
    if TABLE.exists():
        before = pd.read_csv(TABLE)
        table = pd.concat([before[~before["n_cells"].isin(table["n_cells"])], table])
    TABLE.parent.mkdir(exist_ok=True)
    table.sort_values("n_cells", kind="stable").to_csv(TABLE, index=False, float_format="%.4g")


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Medians by number of cells, with the share of one embedding's time that a further one takes."""
    medians = table.groupby(["n_cells", "embeddings"]).median(numeric_only=True)
    one, two = medians.xs(1, level="embeddings"), medians.xs(2, level="embeddings")
    shown = one[["clock_seconds", "processor_seconds", "megabytes", "file_megabytes"]].copy()
    shown["further_embedding"] = two["processor_seconds"] / one["processor_seconds"] - 1
    return shown


def in_a_process(work: Any, *arguments: Any) -> Any:
    """Result of a function that is called in a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def write(n_cells: int, path: Path) -> None:
    """Counts of types and batches, block by block, with codes that keep types and a third of the batch's shift."""
    import h5py
    from anndata.io import sparse_dataset, write_elem
    from scipy import sparse

    rng = np.random.default_rng(0)
    profiles = rng.gamma(0.3, size=(N_TYPES, N_GENES)) + 0.02
    effects = np.exp(0.4 * rng.normal(size=(N_BATCHES, N_GENES)))
    types, batches = rng.integers(N_TYPES, size=n_cells), rng.integers(N_BATCHES, size=n_cells)
    rates = (profiles[:, None] * effects).reshape(-1, N_GENES)
    cumulated = np.cumsum(rates / rates.sum(axis=1, keepdims=True), axis=1)
    kinds = types * N_BATCHES + batches
    with h5py.File(path, "w") as file:
        for first in range(0, n_cells, BLOCK):
            own = kinds[first : first + BLOCK]
            genes = np.empty((len(own), DEPTH), dtype=np.int32)
            for kind in np.unique(own):
                draws = rng.random(((own == kind).sum(), DEPTH))
                genes[own == kind] = np.minimum(np.searchsorted(cumulated[kind], draws), N_GENES - 1)
            starts = np.arange(0, genes.size + 1, DEPTH)
            ones = np.ones(genes.size, dtype=np.float32)
            block = sparse.csr_matrix((ones, genes.ravel(), starts), shape=(len(own), N_GENES))
            block.sum_duplicates()
            if first:
                sparse_dataset(file["X"]).append(block)
            else:
                write_elem(file, "X", block)
        names = [str(i) for i in range(n_cells)]
        levels = pd.Categorical.from_codes(batches, [f"batch {b}" for b in range(N_BATCHES)])
        write_elem(file, "obs", pd.DataFrame({"batch": levels}, index=names))
        write_elem(file, "var", pd.DataFrame(index=[f"gene {g}" for g in range(N_GENES)]))
        centres, shifts = rng.normal(size=(N_TYPES, 10)), rng.normal(size=(N_BATCHES, 10))
        for key, share in (("X_first", 0.3), ("X_second", 0.1)):
            noise = 0.3 * rng.normal(size=(n_cells, 10))
            write_elem(file, f"obsm/{key}", (centres[types] + share * shifts[batches] + noise).astype(np.float32))
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})


def judged(path: Path, embeddings: int, seed: int) -> dict[str, Any]:
    """Judge."""
    import anndata

    import scpareto as sp

    keys = ["X_first", "X_second"][:embeddings]
    clock, processor = time.perf_counter(), time.process_time()
    adata = anndata.read_h5ad(path, backed="r")
    table = sp.tl.judge(adata, keys, batch_key="batch", seed=seed)
    return {
        "clock_seconds": time.perf_counter() - clock,
        "processor_seconds": time.process_time() - processor,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "file_megabytes": path.stat().st_size / 2**20,
        "batch_left": table["batch_left"].iloc[0],
        "structure_kept": table["structure_kept"].iloc[0],
    }


if __name__ == "__main__":
    main()
