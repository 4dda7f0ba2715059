"""What the experiments have in common: their data, and the bookkeeping of rows that are already there."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from anndata import AnnData

RESULTS = Path(__file__).parent / "results"


def data_folder() -> Path:
    """Folder with the real data, or the end of the script with a word on what is missing."""
    folder = os.environ.get("SCPARETO_TEST_DATA")
    if not folder:
        raise SystemExit("SCPARETO_TEST_DATA must name the folder that holds pbmc_multistudy.h5ad.")
    return Path(folder)


def load(dataset: str, *, n_genes: int, seed: int = 0) -> AnnData:
    """Raw counts of ``simulate_batches``, drawn anew for each seed, or of a file's most variable genes."""
    import scanpy as sc
    import torch

    import scpareto as sp

    if dataset == "simulate_batches":
        return sp.datasets.simulate_batches(1000, min(n_genes, 500), batch_strength=1.5, type_strength=1.3, seed=seed)
    adata = sc.read_h5ad(data_folder() / f"{dataset}.h5ad")
    normalised = adata.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    sc.pp.highly_variable_genes(normalised, n_top_genes=n_genes, batch_key="batch")
    # numba in the lines above has raised the number of threads that torch shares.
    torch.set_num_threads(1)
    adata = adata[:, normalised.var["highly_variable"].to_numpy()]
    return adata[adata.X.sum(axis=1).A1 > 0].copy()


def plain_scvi(adata: AnnData, seed: int) -> np.ndarray:
    """Codes of SCVI as a user gets it."""
    import scvi
    import torch

    scvi.settings.seed = seed
    torch.set_num_threads(1)
    plain = adata.copy()
    scvi.model.SCVI.setup_anndata(plain, batch_key="batch")
    model = scvi.model.SCVI(plain)
    model.train(accelerator="cpu", enable_progress_bar=False, logger=False)
    return model.get_latent_representation()


def run_missing(
    train: Callable[..., pd.DataFrame],
    runs: Sequence[tuple[Any, ...]],
    keys: Sequence[str],
    path: Path,
    *,
    jobs: int,
    resume: bool,
) -> pd.DataFrame:
    """Run ``train`` for every run that has no rows yet, and write its rows as soon as they are there.

    Parameters
    ----------
    train
        Returns the rows of one run; among their columns are ``keys``, with the values of the run.
    runs
        Arguments of ``train``, in the order of ``keys``.
    path
        The table.
    jobs
        Processes; 0 runs everything in this one, which is slower but can be followed with a debugger.
    resume
        Whether to go on from the table that is there.

    Returns
    -------
    All rows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    done = pd.read_csv(path, dtype=dict.fromkeys(keys, str)) if resume and path.exists() else pd.DataFrame()
    finished = set(done[list(keys)].itertuples(index=False, name=None)) if len(done) else set()
    missing = [run for run in runs if tuple(map(str, run)) not in finished]
    # Processes run side by side, each with one thread; spawned ones read this before they load numpy and torch.
    os.environ["OMP_NUM_THREADS"] = "1"
    for rows in results_of(train, missing, jobs):
        rows[list(keys)] = rows[list(keys)].astype(str)
        done = pd.concat([done, rows], ignore_index=True)
        done.to_csv(path, index=False, float_format="%.6g")
        print(f"{len(done[list(keys)].drop_duplicates())} runs so far", flush=True)
    return pd.read_csv(path)


def results_of(
    train: Callable[..., pd.DataFrame], runs: Sequence[tuple[Any, ...]], jobs: int
) -> Iterator[pd.DataFrame]:
    """Rows of each run, as soon as it has ended."""
    if not jobs:
        yield from (train(*run) for run in runs)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(train, *run) for run in runs]):
            yield future.result()
