"""Pareto MTL against linear scalarisation, both with MINE, on pbmc_multistudy.

Claim under test: a front learnt by Pareto MTL offers an ordered set of mutually non-dominated choices between the
generative loss and the information that codes hold about batch, more distinct ones than a sweep of weights does.

    python experiments/first_front.py --setting small --seeds 3 --jobs 2 --resume

Every number is of test cells; information is read by critics and probes that were trained from scratch. The full
setting trains points for their default length; the small one shortens them. Writes results/points/first_front.csv (one
row per point), results/first_front.csv (one per dataset, method and seed) and results/first_front.png.
"scalarization" has the published weights i/11, "scalarization_log" weights with evenly spread logarithmic odds.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

RESULTS = Path(__file__).parent / "results"
POINTS = RESULTS / "points" / "first_front.csv"
SUMMARY, FIGURE = RESULTS / "first_front.csv", RESULTS / "first_front.png"
DATASET = "pbmc_multistudy"
N_POINTS, N_GENES, WIDTH, REFERENCE = 10, 2000, 0.05, 2.0
METHODS = ("pareto_mtl", "scalarization", "scalarization_log")
# Weights of the nuisance whose odds, not the weights themselves, are evenly spread over more than three decades.
ODDS = np.geomspace(0.003, 10, N_POINTS)
# Epochs of (shared start, point); None is the default.
EPOCHS = {
    "small": {"practical": (200, 30), "paper": (100, 15)},
    "full": {"practical": (None, None), "paper": (None, None)},
}
COLUMNS = ["generative_loss_test", "mine_test"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=EPOCHS, default="small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    folder = os.environ.get("SCPARETO_TEST_DATA")
    if not folder:
        parser.error("SCPARETO_TEST_DATA must name the folder that holds pbmc_multistudy.h5ad.")
    POINTS.parent.mkdir(parents=True, exist_ok=True)
    done = pd.read_csv(POINTS) if arguments.resume and POINTS.exists() else pd.DataFrame()
    runs = [("practical", method, seed) for seed in range(arguments.seeds) for method in arguments.methods]
    runs.insert(0, ("paper", "pareto_mtl", 0))  # the longest first
    if len(done):
        finished = set(done[done["setting"] == arguments.setting][["preset", "method", "seed"]].itertuples(index=False))
        runs = [run for run in runs if run not in {tuple(row) for row in finished}]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        futures = [pool.submit(train, folder, arguments.setting, *run) for run in runs]
        for future in as_completed(futures):
            done = pd.concat([done, future.result()], ignore_index=True)
            done.to_csv(POINTS, index=False, float_format="%.6g")
            print(f"{len(done)} points so far", flush=True)
    summary = summarise(done)
    summary.to_csv(SUMMARY, index=False, float_format="%.4g")
    draw(done)
    print(summary.to_string(index=False))


def train(folder: str, setting: str, preset: str, method: str, seed: int) -> pd.DataFrame:
    """One front; its table with what it is and how long it took."""
    import scanpy as sc
    import torch

    import scpareto as sp

    adata = sc.read_h5ad(Path(folder) / f"{DATASET}.h5ad")
    normalised = adata.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    sc.pp.highly_variable_genes(normalised, n_top_genes=N_GENES, batch_key="batch")
    adata = adata[:, normalised.var["highly_variable"].to_numpy()].copy()
    torch.set_num_threads(1)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=seed, preset=None if preset == "practical" else preset)
    pretrain, epochs = EPOCHS[setting][preset]
    begun = time.perf_counter()
    logarithmic = method == "scalarization_log"
    model.train(
        epochs,
        max_epochs_pretrain=pretrain,
        method="scalarization" if logarithmic else method,
        objective="mine",
        n_points=N_POINTS,
        preferences=ODDS / (1 + ODDS) if logarithmic else None,
        progress=False,
    )
    facts = {"dataset": DATASET, "setting": setting, "preset": preset, "method": method}
    table = model.front.to_dataframe().assign(**facts, seconds=time.perf_counter() - begun)
    return table[[*facts, *(column for column in table if column not in facts)]]


def summarise(points: pd.DataFrame) -> pd.DataFrame:
    """Indicators of every front, on losses standardised by the two extremes of its seed, with one reference point.

    The extremes of a seed (practical preset) are the same models whatever the method: they become (0, 1) and (1, 0).
    The reference is (2, 2); the few points beyond it count for nothing. The grid of distinct choices is common too.
    """
    from scpareto.pareto import hypervolume, non_dominated, number_of_distinct_choices

    rows = []
    for (setting, seed), pooled in points.groupby(["setting", "seed"]):
        ends = pooled[(pooled["preset"] == "practical") & (pooled["kind"] == "extreme")][COLUMNS]
        low, width = ends.min().to_numpy(), (ends.max() - ends.min()).to_numpy()
        for (dataset, preset, method), front in pooled.groupby(["dataset", "preset", "method"]):
            own = (front[COLUMNS].to_numpy() - low) / width
            within = own[(own < REFERENCE).all(axis=1)]
            rows.append(
                {
                    "dataset": dataset,
                    "method": f"{method} ({preset})",
                    "seed": seed,
                    "setting": setting,
                    "points": len(front),
                    "hypervolume": hypervolume(within, [REFERENCE, REFERENCE]),
                    "distinct_choices": number_of_distinct_choices(own, WIDTH, origin=[-1.0, -1.0]),
                    "non_dominated_share": non_dominated(own).sum() / (N_POINTS + 2),
                    "order_leakage_sample": spearmanr(front["point"], front["leakage_sample"]).statistic,
                    "order_leakage_mean": spearmanr(front["point"], front["leakage_mean"]).statistic,
                    "leakage_mean_min": front["leakage_mean"].min(),
                    "leakage_mean_uncorrected": front["leakage_mean"].iloc[0],
                }
            )
    return pd.DataFrame(rows).sort_values(["setting", "method", "seed"])


def draw(points: pd.DataFrame) -> None:
    """All fronts in the plane of the objectives, and leakage along them."""
    import matplotlib.pyplot as plt

    kinds = [*(("practical", method) for method in METHODS), ("paper", "pareto_mtl")]
    figure, axes = plt.subplots(2, len(kinds), figsize=(12, 6), squeeze=False, layout="constrained")
    for column, (preset, method) in enumerate(kinds):
        some = points[(points["preset"] == preset) & (points["method"] == method)]
        for _, front in some.groupby(["setting", "seed"]):
            axes[0, column].plot(front["mine_test"], front["generative_loss_test"], "o-", ms=3, lw=0.8, alpha=0.8)
            axes[1, column].plot(front["point"], front["leakage_mean"], "o-", ms=3, lw=0.8, color="#0072B2")
            axes[1, column].plot(front["point"], front["leakage_sample"], "s--", ms=3, lw=0.8, color="#E69F00")
        axes[0, column].set(title=f"{method} ({preset})", xlabel="MINE, test cells (nats)")
        axes[1, column].set(xlabel="point", ylim=(-0.05, None))
    axes[0, 0].set_ylabel("generative loss, test cells\n(nats per cell)")
    axes[1, 0].set_ylabel("leakage (nats)\nblue: mean, orange: samples")
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
