"""The published two by two on published data: Pareto MTL and scalarisation, each with MINE and MMD, as published.

Rows are those of ``experiments/published_comparison.py``, which compares the same methods on other data. The paper says
that both solvers share their learning rate (0.001); its last scripts train scalarisation with MINE at 0.005.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the other experiments

import anndata
import pandas as pd
from published_comparison import FASTER_CRITIC, KEYS, METHODS, OBJECTIVES, judge, judge_claims, standardised, summarise
from published_data import fewer, handed_over, published_split
from shared import RESULTS, run_missing

if TYPE_CHECKING:
    import argparse

    from anndata import AnnData

DEFAULT_RESULTS = RESULTS / "paper"
PRESET = "paper"
# Cells and genes (None: all), epochs of the shared start (None: as published for the dataset) and of a point, points,
# largest minibatch, starts of K-means, and the training of critics (None: as published).
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {
        "seeds": 1,
        "n_cells": 2000,
        "n_genes": 1000,
        "pretrain": 20,
        "epochs": {"mine": 2, "mmd": 10},
        "n_points": 8,
        "batch_size": 128,
        "n_init": 20,
        "plan": {"critic_warmup": FASTER_CRITIC, "de_novo": FASTER_CRITIC},
    },
    "full": {
        "seeds": 10,
        "n_cells": None,
        "n_genes": None,
        "pretrain": None,
        "epochs": {"mine": 150, "mmd": 250},
        "n_points": 12,
        "batch_size": 256,
        "n_init": 200,
        "plan": None,
    },
}


def compare_fronts(
    cells: AnnData, dataset: str, arguments: argparse.Namespace, *, batch_size: int, pretrain: int
) -> pd.DataFrame:
    """Train and judge what is missing, write the three tables, and return the claims.

    Parameters
    ----------
    cells
        Treated counts with ``batch`` and ``cell_type``.
    dataset
        Name in the tables.
    arguments
        What :func:`published_data.options` reads.
    batch_size, pretrain
        Cells of a minibatch and epochs of the shared start, as published for the dataset.
    """
    size = SETTINGS[arguments.setting]
    results = arguments.results
    results.mkdir(parents=True, exist_ok=True)
    seeds = range(arguments.seeds or size["seeds"])
    runs = [
        (arguments.setting, dataset, PRESET, method, objective, seed)
        for seed in seeds
        for objective in OBJECTIVES
        for method in METHODS
    ]
    cells = most_variable(fewer(cells, size["n_cells"]), size["n_genes"])
    with handed_over(cells) as path:
        train = partial(train_front, path, min(batch_size, size["batch_size"]), size["pretrain"] or pretrain)
        points = run_missing(
            train, runs, KEYS, results / f"{dataset}_points.csv", jobs=arguments.jobs, resume=arguments.resume
        )
    points = standardised(points[points["setting"] == arguments.setting], PRESET)
    summary = summarise(points)
    summary.to_csv(results / f"{dataset}.csv", index=False, float_format="%.4g")
    claims = judge_claims(points, summary, PRESET)
    claims.to_csv(results / f"{dataset}_claims.csv", index=False, float_format="%.3g")
    return claims


def train_front(
    path: Path,
    batch_size: int,
    pretrain: int,
    setting: str,
    dataset: str,
    preset: str,
    method: str,
    objective: str,
    seed: int,
) -> pd.DataFrame:
    """One front on one published split, with the surrogates of every point on training and on test cells."""
    import scpareto as sp

    size = SETTINGS[setting]
    cells = anndata.read_h5ad(path)
    sp.model.ParetoVI.setup_anndata(cells, batch_key="batch")
    model = sp.model.ParetoVI(cells, seed=seed, preset=preset)
    begun = time.perf_counter()
    model.train(
        pretrain + size["epochs"][objective],
        max_epochs_pretrain=pretrain,
        method=method,
        objective=objective,
        n_points=size["n_points"],
        batch_size=batch_size,
        split=published_split(cells.n_obs, batch_size, seed),
        plan_kwargs=size["plan"],
        progress=False,
    )
    seconds = time.perf_counter() - begun
    rows = judge(model, cells, objective, n_init=size["n_init"])
    keys = pd.DataFrame([(setting, dataset, preset, method, objective, seed)] * len(rows), columns=list(KEYS))
    return pd.concat([keys, rows], axis=1).assign(seconds=seconds)


def most_variable(cells: AnnData, n_genes: int | None) -> AnnData:
    """Counts of the genes that vary most within batches, and the cells that have any; all genes for None."""
    import scanpy as sc

    if n_genes is None or n_genes >= cells.n_vars:
        return cells
    normalised = cells.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    sc.pp.highly_variable_genes(normalised, n_top_genes=n_genes, batch_key="batch")
    cells = cells[:, normalised.var["highly_variable"].to_numpy()]
    return cells[cells.X.sum(axis=1).A1 > 0].copy()
