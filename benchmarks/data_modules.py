"""Time and memory of a whole default front of cells in a store of annbatch, judging included, from 10,000 cells on.

    python benchmarks/data_modules.py --cells 10000 30000 100000 300000 1000000

Simulated counts of 2,000 genes, 5 to 10 % of them not zero: 12 cell types, four batches that change half of the genes;
batches hold types in unlike shares, or with `--composition alike` in equal ones. They are written block by block into a
store, whose rows are in the order of the batches. A process of its own trains `ParetoVI` from the data module and
judges it, on two threads; another one has written the store. Seconds on the clock; peak memory of the process that
trains, with what the imports take of it. Needs annbatch (Python 3.12 or newer) and 2 GB of disk for a million cells.

Writes results/data_modules.csv, one row for each composition, size and seed, and results/data_modules.png. Finished
rows are skipped; `--again` measures them anew, `--draw` draws only. Aims at a million cells: under 4 GB, one hour.
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
    from numpy.typing import NDArray

RESULTS = Path(__file__).parent / "results"
TABLE, FIGURE = RESULTS / "data_modules.csv", RESULTS / "data_modules.png"
N_GENES, N_TYPES, N_BATCHES, BLOCK = 2000, 12, 4, 20_000
CASE = ("composition", "n_cells", "seed")
CELLS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
LARGEST, MOST_MEGABYTES, MOST_MINUTES = 1_000_000, 4096, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=list(CELLS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--composition", choices=("unlike", "alike"), default="unlike")
    parser.add_argument("--folder", type=Path, default=None, help="where stores are written and removed again")
    parser.add_argument("--again", action="store_true", help="measure what is there already")
    parser.add_argument("--draw", action="store_true", help="draw what is there and measure nothing")
    arguments = parser.parse_args()
    for seed in range(0 if arguments.draw else arguments.seeds):
        for n_cells in arguments.cells:
            case = {"composition": arguments.composition, "n_cells": n_cells, "seed": seed}
            if not arguments.again and is_done(case):
                continue
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                written = in_a_process(1, write, n_cells, seed, Path(folder), arguments.composition)
                found = in_a_process(arguments.threads, front, seed, Path(folder), arguments.threads)
            save(case | written | found)
            print(pd.read_csv(TABLE).tail(1).to_string(index=False), flush=True)
    table = pd.read_csv(TABLE)
    print(table.to_string(index=False))
    draw(table)


def rows_of(table: pd.DataFrame, case: dict[str, Any]) -> pd.Series:
    """Which rows of a table are of a case."""
    return (table[list(case)] == pd.Series(case)).all(axis=1)


def is_done(case: dict[str, Any]) -> bool:
    """Whether a case is in the table already."""
    return TABLE.exists() and bool(rows_of(pd.read_csv(TABLE), case).any())


def save(row: dict[str, Any]) -> None:
    """Add a row, in place of an older one."""
    table = pd.DataFrame([row])
    if TABLE.exists():
        before = pd.read_csv(TABLE)
        table = pd.concat([before[~rows_of(before, {name: row[name] for name in CASE})], table])
    RESULTS.mkdir(exist_ok=True)
    table.sort_values(list(CASE)).to_csv(TABLE, index=False, float_format="%.5g")


def in_a_process(threads: int, work: Any, *arguments: Any) -> Any:
    """Result of a function that is called in a fresh process: one never gives back the memory that it has held."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def peak() -> float:
    """Megabytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def simulated(
    n_cells: int, batch: int, rng: np.random.Generator, profiles: NDArray, effects: NDArray, composition: str
) -> AnnData:
    """Sparse counts of some cells of a batch."""
    from anndata import AnnData
    from scipy import sparse

    # In each batch other types are frequent, if batches are unlike.
    shares = np.roll(np.arange(1, N_TYPES + 1), 3 * batch if composition == "unlike" else 0)
    shares = shares / shares.sum()
    types = rng.choice(N_TYPES, n_cells, p=shares)
    depth = rng.lognormal(0, 0.4, size=(n_cells, 1))
    counts = rng.poisson((profiles * effects[batch])[types] * depth).astype(np.float32)
    counts[:, 0] += 1
    adata = AnnData(sparse.csr_matrix(counts))
    adata.obs["batch"] = pd.Categorical([f"batch {batch}"] * n_cells)
    adata.obs["cell_type"] = pd.Categorical([f"type {k}" for k in types])
    adata.var_names = [f"gene {k}" for k in range(N_GENES)]
    return adata


def write(n_cells: int, seed: int, folder: Path, composition: str) -> dict[str, Any]:
    """Write cells block by block into files of at most 20,000, and these into a store."""
    import zarr
    from annbatch import DatasetCollection

    rng = np.random.default_rng(seed)
    profiles = rng.gamma(0.4, 0.14, size=N_GENES) * rng.lognormal(0, 1, size=(N_TYPES, N_GENES))
    changed = rng.random((N_BATCHES, N_GENES)) < 0.5
    effects = np.where(changed, rng.lognormal(0, 0.5, size=(N_BATCHES, N_GENES)), 1)
    begun, paths, n_counts = time.perf_counter(), [], 0
    for batch in range(N_BATCHES):
        left = n_cells // N_BATCHES
        while left:
            n = min(BLOCK, left)
            adata = simulated(n, batch, rng, profiles, effects, composition)
            adata.obs_names = [f"cell {len(paths)} {k}" for k in range(n)]
            paths.append(str(folder / f"{len(paths)}.h5ad"))
            adata.write_h5ad(paths[-1])
            n_counts, left = n_counts + adata.X.nnz, left - n
    collection = DatasetCollection(zarr.open(folder / "store.zarr", mode="w"))
    size = min(5 * BLOCK, n_cells)
    collection.add_adatas(paths, shuffle=False, dataset_size=size, shuffle_chunk_size=min(1000, size))
    for path in paths:
        os.remove(path)
    stored = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {
        "share_not_zero": n_counts / (n_cells * N_GENES),
        "store_megabytes": stored / 2**20,
        "write_seconds": time.perf_counter() - begun,
    }


def data_module(folder: Path) -> Any:
    """The store as a data module; what `ParetoVI.setup_annbatch` makes of it."""
    import anndata
    import zarr
    from annbatch import DatasetCollection, Loader
    from anndata.io import read_elem, sparse_dataset
    from scvi.dataloaders import AnnbatchDataModule

    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
    collection = DatasetCollection(zarr.open(folder / "store.zarr", mode="r"))
    genes: list[str] = []

    def load(group: Any) -> AnnData:
        genes[:] = list(read_elem(group["var"]).index)
        return anndata.AnnData(sparse_dataset(group["X"]), obs=read_elem(group["obs"])[["batch"]])

    sizes = {"chunk_size": 256, "preload_nchunks": 32, "batch_size": 4096}
    loader = Loader(**sizes, preload_to_gpu=False, to="torch").use_collection(collection, load_adata=load)
    return AnnbatchDataModule(loader, batch_key="batch", var_names=genes, **sizes)


def front(seed: int, folder: Path, threads: int) -> dict[str, Any]:
    """Train and judge a default front from the store."""
    import torch

    import scpareto as sp

    torch.set_num_threads(threads)
    warm_up(sp)
    imported = peak()
    begun, processor = time.perf_counter(), time.process_time()
    module = data_module(folder)
    model = sp.model.ParetoVI(registry=module.registry, seed=seed)
    model.train(datamodule=module, accelerator="cpu", progress=False)
    seconds, processor = time.perf_counter() - begun, time.process_time() - processor
    table, record = model.front.to_dataframe(), model.front.metadata
    n_cells = sum(record["data_module"]["n_cells"].values())
    return {
        "seconds": seconds,
        "processor_seconds": processor,
        "milliseconds_per_cell": 1000 * seconds / n_cells,
        "megabytes": peak(),
        "imported_megabytes": imported,
        "kilobytes_per_cell": 1024 * (peak() - imported) / n_cells,
        "n_held": sum(record["data_module"]["n_held"].values()),
        "epochs": record["max_epochs"],
        "given": record["objective_options"]["classifier"].get("given"),
        "batch_left_first": table["batch_left"].iloc[0],
        "batch_left_last": table["batch_left"].iloc[-1],
        "structure_kept_last": table["structure_kept"].iloc[-1],
    }


def warm_up(sp: Any) -> None:
    """Import and call once what a front needs, on few cells."""
    adata = sp.datasets.simulate_batches(300, 50, seed=0)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    quick = {"critic_warmup": {"max_epochs": 1}, "de_novo": {"max_epochs": 1}, "n_bootstrap": 5}
    sp.model.ParetoVI(adata, seed=0).train(
        2, max_epochs_pretrain=1, n_points=4, plan_kwargs=quick, accelerator="cpu", progress=False
    )


def draw(table: pd.DataFrame) -> None:
    """Minutes, time per cell and memory by the number of cells, with the aims."""
    import matplotlib.pyplot as plt

    panels = [
        ("minutes", table["seconds"] / 60, MOST_MINUTES),
        ("milliseconds per cell", table["milliseconds_per_cell"], 60_000 * MOST_MINUTES / LARGEST),
        ("peak memory (GB)", table["megabytes"] / 1024, MOST_MEGABYTES / 1024),
    ]
    figure, axes = plt.subplots(1, 3, figsize=(10, 3), layout="constrained")
    for ax, (name, values, aim) in zip(axes, panels, strict=True):
        for (composition, _), one in values.groupby([table["composition"], table["seed"]]):
            color = "#0072B2" if composition == "unlike" else "#E69F00"
            ax.plot(table.loc[one.index, "n_cells"], one, "o-", color=color, label=f"batches of {composition} cells")
        ax.plot(LARGEST, aim, "v", color="#D55E00", label="aim: at most")
        ax.set(xscale="log", xlabel="cells", ylabel=name, ylim=(0, None))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
