"""How much the numbers of a critic and the bandwidths of a kernel matter.

Claim of Li et al. (2022) under test: fronts learnt with MINE depend little on the critic's size, those learnt with MMD
on its bandwidths.

    python experiments/sensitivity.py --setting small --seeds 1 --jobs 2 --resume

Fronts by Pareto MTL; generative loss U and nearest-neighbour information NN of samples are those of test cells.
Writes results/points/sensitivity.csv, results/sensitivity.csv (one row per variant and seed) and
results/sensitivity.png.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from shared import RESULTS, load, run_missing

POINTS = RESULTS / "points" / "sensitivity.csv"
SUMMARY, FIGURE = RESULTS / "sensitivity.csv", RESULTS / "sensitivity.png"
KEYS = ("setting", "dataset", "variant", "seed")
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"mine {depth} x {width}": ("mine", {"n_layers": depth, "n_hidden": width})
        for depth in (2, 5, 10)
        for width in (64, 128)
    },
    **{f"mmd x {scale}": ("mmd", {"bandwidth_scale": scale}) for scale in (0.2, 1.0, 5.0)},
}
N_POINTS, REFERENCE = 8, 2.0
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {"n_genes": 1000, "pretrain": 60, "epochs": 25},
    "full": {"n_genes": 2000, "pretrain": None, "epochs": None},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [
        (arguments.setting, "pbmc_multistudy", variant, seed) for seed in range(arguments.seeds) for variant in VARIANTS
    ]
    points = run_missing(train, runs, KEYS, POINTS, jobs=arguments.jobs, resume=arguments.resume)
    summary = summarise(points)
    summary.to_csv(SUMMARY, index=False, float_format="%.4g")
    draw(points)
    print(summary.to_string(index=False))


def train(setting: str, dataset: str, variant: str, seed: int) -> pd.DataFrame:
    """One front."""
    import scpareto as sp

    options, (objective, objective_kwargs) = SETTINGS[setting], VARIANTS[variant]
    adata = load(dataset, n_genes=options["n_genes"])
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=seed)
    model.train(
        options["pretrain"] + options["epochs"],
        max_epochs_pretrain=options["pretrain"],
        method="pareto_mtl",
        objective=objective,
        objective_kwargs=objective_kwargs,
        n_points=N_POINTS + 2,  # and the two ends
        progress=False,
    )
    sp.front.audit_front(model, model.front, progress=False)
    table = model.front.to_dataframe().assign(setting=setting, dataset=dataset, variant=variant)
    columns = ["nn_mean", "nn_sample", "leakage_mean", "leakage_sample", "retention"]
    return table[[*KEYS, "point", "kind", "generative_loss_test", *columns]]


def summarise(points: pd.DataFrame) -> pd.DataFrame:
    """Order and hypervolume in the plane of U and NN.

    Both axes are standardised by what all variants of a seed reach: U from the lowest (0) to the median of the
    strongest extremes (1), NN from 0 to that of the uncorrected extreme (1); the reference is (2, 2).
    """
    from scpareto.pareto import hypervolume

    rows = []
    for (setting, seed), pooled in points.groupby(["setting", "seed"]):
        low = pooled["generative_loss_test"].min()
        strongest = pooled[pooled["point"] == pooled["point"].max()]["generative_loss_test"].median()
        uncorrected = pooled[pooled["point"] == 0]["nn_sample"].median()
        for variant in VARIANTS:
            front = pooled[pooled["variant"] == variant]
            if not len(front):
                continue
            own = np.column_stack(
                [(front["generative_loss_test"] - low) / (strongest - low), front["nn_sample"] / uncorrected]
            )
            rows.append(
                {
                    "variant": variant,
                    "seed": seed,
                    "setting": setting,
                    "order_nn_sample": -spearmanr(front["point"], front["nn_sample"]).statistic,
                    "order_leakage_mean": -spearmanr(front["point"], front["leakage_mean"]).statistic,
                    "hypervolume": hypervolume(own[(own < REFERENCE).all(axis=1)], [REFERENCE, REFERENCE]),
                    "lowest_leakage_mean": front["leakage_mean"].min(),
                    "lowest_leakage_sample": front["leakage_sample"].min(),
                }
            )
    return pd.DataFrame(rows)


def draw(points: pd.DataFrame) -> None:
    """Leakage of the mean along the points of every variant."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), sharey=True, layout="constrained")
    for axis, objective in zip(axes, ("mine", "mmd"), strict=True):
        variants = [variant for variant, (name, _) in VARIANTS.items() if name == objective]
        for variant, colour in zip(variants, plt.cm.viridis(np.linspace(0, 0.85, len(variants))), strict=True):
            for k, (_, front) in enumerate(points[points["variant"] == variant].groupby("seed")):
                front = front.sort_values("point")
                label = variant.removeprefix(f"{objective} ") if k == 0 else None
                axis.plot(front["point"], front["leakage_mean"], "o-", ms=4, lw=1, color=colour, label=label)
        axis.set(xlabel="point", title={"mine": "MINE: layers x width", "mmd": "MMD: factor on bandwidths"}[objective])
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("leakage of the posterior mean,\ntest cells (nats)")
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
