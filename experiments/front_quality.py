"""Is a front from one training as good as one of separately trained points?

Claim under test: the front of method="conditional" has at least 0.98 of the hypervolume of separate trainings
(scalarisation) and of pareto_mtl, at a fraction of their cost.

    python experiments/front_quality.py --setting small --jobs 1 --resume

As a yardstick, separate trainings are repeated from other random numbers (repeated: same cells in every part): how much
two fronts of one method differ. warm_start is pareto_mtl that goes from one point to the next. On test cells, in two
planes: generative loss and leakage of the posterior mean (lower is better), retention and mixing (batch entropy; higher
is better). Both axes are scaled by the range of all fronts of a data set and seed, and volumes reach to the worst of
all values and a tenth of the range beyond. Writes results/points/front_quality.csv (one row per point),
results/front_quality.csv (one per front) and results/front_quality.png.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd
from shared import RESULTS, load, run_missing

POINTS, TABLE, FIGURE = RESULTS / "points" / "front_quality.csv", RESULTS / "front_quality.csv", "front_quality.png"
KEYS = ("setting", "dataset", "method", "seed")
DATASETS = ("simulate_batches", "pbmc_multistudy", "kang_ifnb_pbmc", "celllines_3protocols")
METHODS = ("conditional", "scalarization", "pareto_mtl", "warm_start", "repeated")
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {"seeds": 1, "n_genes": 1000, "n_cells": 1500, "pretrain": 200, "n_points": 5},
    "full": {"seeds": 3, "n_genes": 2000, "n_cells": None, "pretrain": 200, "n_points": 9},
}
REPEATED = 1000
MARGIN = 0.1
PLANES = {
    "generative loss, leakage": (("generative_loss_test", 1), ("leakage_mean", 1)),
    "retention, mixing": (("retention", -1), ("batch_entropy", -1)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, help="1 in the small setting, 3 in the full")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    n_seeds = arguments.seeds or SETTINGS[arguments.setting]["seeds"]
    runs = [
        (arguments.setting, dataset, method, seed)
        for seed in range(n_seeds)
        for method in arguments.methods
        for dataset in DATASETS
    ]
    points = run_missing(train, runs, KEYS, POINTS, jobs=arguments.jobs, resume=arguments.resume)
    table = judge(points)
    table.to_csv(TABLE, index=False, float_format="%.4g")
    draw(points)
    print(table.to_string(index=False))


def train(setting: str, dataset: str, method: str, seed: int) -> pd.DataFrame:
    """One front, with defaults for the length of its trainings."""
    import torch

    import scpareto as sp
    from scpareto.front._checks import check_split

    options = SETTINGS[setting]
    adata = load(dataset, n_genes=options["n_genes"], seed=seed)
    if (n_cells := options["n_cells"]) is not None and n_cells < adata.n_obs:
        adata = adata[np.sort(np.random.default_rng(0).choice(adata.n_obs, n_cells, replace=False))].copy()
    torch.set_num_threads(1)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    how: dict[str, Any] = {"method": method}
    if method == "conditional":
        # The grid of the rows that are committed: points of one training would else lie at equal steps of what is left.
        how["preferences"] = sp.pareto.solver_class(method).default_preferences(options["n_points"])
    if method == "warm_start":
        how = {"method": "pareto_mtl", "warm_start": "path"}
    if method == "repeated":
        split = check_split(None, adata.obs["batch"].to_numpy(), seed)
        how = {"method": "scalarization", "split": [split.train, split.validation, split.test]}
    model = sp.model.ParetoVI(adata, seed=seed + (REPEATED if method == "repeated" else 0))
    begun = time.process_time()
    model.train(n_points=options["n_points"] + 2, max_epochs_pretrain=options["pretrain"], progress=False, **how)
    cpu_seconds = time.process_time() - begun
    sp.front.audit_front(model, model.front, progress=False)
    keys = {"setting": setting, "dataset": dataset, "method": method, "seed": seed}
    return model.front.to_dataframe().assign(**keys, cpu_seconds=cpu_seconds)


def judge(points: pd.DataFrame) -> pd.DataFrame:
    """Volume, range, share of non-dominated points and order of every front."""
    from scpareto.pareto import hypervolume, non_dominated

    rows = []
    for (setting, dataset, seed), fronts in points.groupby(["setting", "dataset", "seed"], sort=False):
        of_method = dict(list(fronts.groupby("method", sort=False)))
        found = {}
        for plane, axes in PLANES.items():
            values = {name: np.column_stack([sign * f[c] for c, sign in axes]) for name, f in of_method.items()}
            together = np.concatenate(list(values.values()))
            low, width = together.min(0), np.ptp(together, axis=0)
            apart = (values["scalarization"] - low) / width if "scalarization" in values else None
            for name, losses in values.items():
                scaled = (losses - low) / width
                row = found.setdefault(name, {})
                if apart is not None and name != "scalarization":
                    beaten = [((apart <= p).all(1) & (apart < p).any(1)).any() for p in scaled]
                    row[f"not dominated by scalarization ({plane})"] = 1 - np.mean(beaten)
                row[f"hypervolume ({plane})"] = hypervolume(scaled, np.full(2, 1 + MARGIN))
                row[f"non-dominated ({plane})"] = non_dominated(scaled).mean()
        for name, row in found.items():
            front = of_method[name].sort_values("point")
            ends = front["leakage_mean"].to_numpy()[[0, -1]]
            keys = {"setting": setting, "dataset": dataset, "seed": seed, "method": name}
            row |= {
                "leakage at the start": ends[0],
                "leakage at the end": ends[1],
                "least leakage": front["leakage_mean"].min(),
            }
            for column in ("generative_loss_test", "retention", "batch_entropy"):
                row[f"{column} at the start"], row[f"{column} at the end"] = front[column].to_numpy()[[0, -1]]
            row["order"] = -front["point"].corr(front["leakage_mean"], method="spearman")
            row["cpu_seconds"] = front["cpu_seconds"].iloc[0]
            others = {"conditional": [other for other in found if other not in (name, "repeated")]}.get(name, [])
            if name == "repeated" and "scalarization" in found:
                others = ["scalarization"]
            if others:
                for plane in PLANES:
                    volume = f"hypervolume ({plane})"
                    for other in others:
                        row[f"{plane}: ratio to {other}"] = row[volume] / found[other][volume]
            rows.append(keys | row)
    return pd.DataFrame(rows)


def draw(points: pd.DataFrame) -> None:
    """Both planes of every data set."""
    import matplotlib.pyplot as plt

    from scpareto.pl._palette import PALETTE
    from scpareto.pl._style import LABEL_SIZE, NOTE_SIZE, TICK_SIZE, tidy

    names = {
        "conditional": "one training",
        "scalarization": "separate trainings",
        "pareto_mtl": "Pareto MTL",
        "warm_start": "Pareto MTL, point to point",
        "repeated": "separate trainings, repeated",
    }
    setting = "full" if (points["setting"] == "full").any() else "small"
    points = points[points["setting"] == setting].copy()
    # Seeds differ in their test cells: each from its own uncorrected end, trained apart.
    ends = points[(points["method"] == "scalarization") & (points["point"] == 0)]
    at_start = ends.set_index(["dataset", "seed"])["generative_loss_test"]
    keys = pd.MultiIndex.from_frame(points[["dataset", "seed"]])
    points["generative_loss_test"] -= at_start.reindex(keys).to_numpy()
    datasets = [d for d in DATASETS if d in set(points["dataset"])]
    figure, axes = plt.subplots(
        2, len(datasets), figsize=(2.0 * len(datasets), 4.2), squeeze=False, layout="constrained"
    )
    for column, dataset in zip(axes.T, datasets, strict=True):
        for ax, ((x, _), (y, _)) in zip(column, PLANES.values(), strict=True):
            tidy(ax)
            for color, (method, label) in zip(PALETTE, names.items(), strict=False):
                rows = points[(points["dataset"] == dataset) & (points["method"] == method)]
                for seed, front in rows.groupby("seed"):
                    front = front.sort_values("point")
                    ax.plot(front[x], front[y], "-o", color=color, ms=3, lw=0.9, label=None if seed else label)
            ax.tick_params(labelsize=TICK_SIZE)
            change = "change of generative loss"
            ax.set_xlabel({"generative_loss_test": change}.get(x, x.replace("_", " ")), fontsize=LABEL_SIZE)
            ax.set_ylabel(y.replace("_", " "), fontsize=LABEL_SIZE)
        column[0].set_title(dataset, fontsize=LABEL_SIZE, loc="left")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=NOTE_SIZE, frameon=False)
    figure.savefig(RESULTS / FIGURE, dpi=200)


if __name__ == "__main__":
    main()
