"""Which codes a critic must see, so that more weight on batch information means less of it in what users read.

Claim under test: with critics on the posterior mean, information about batch falls in the mean and in samples up to a
weight of 1000, nats against nats; with the published critic on samples the encoder hides batch below its own noise.

    python experiments/critic_codes.py --setting small --seeds 3 --jobs 2 --resume

Each front has one point for each weight. Leakage is read on test cells by probes trained from scratch. Writes
results/critic_codes.csv (one row per objective, codes, seed and weight; weight 0 is the uncorrected extreme) and
results/critic_codes.png.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr
from shared import RESULTS, load, run_missing

if TYPE_CHECKING:
    import pandas as pd

TABLE, FIGURE = RESULTS / "critic_codes.csv", RESULTS / "critic_codes.png"
KEYS = ("setting", "dataset", "objective", "on", "seed")
OBJECTIVES, CODES = ("classifier", "mine"), ("mean", "sample", "both")
WEIGHTS = np.array([1.0, 10.0, 100.0, 1000.0])
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {"n_genes": 1000, "pretrain": 60, "epochs": 30},
    "full": {"n_genes": 2000, "pretrain": None, "epochs": None},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [
        (arguments.setting, "pbmc_multistudy", objective, on, seed)
        for seed in range(arguments.seeds)
        for objective in OBJECTIVES
        for on in CODES
    ]
    table = run_missing(train, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    draw(table)
    leakage = table.pivot_table(index=["objective", "on"], columns="weight", values=["leakage_mean", "leakage_sample"])
    print(leakage.round(3).to_string())
    for (objective, on), rows in table.groupby(["objective", "on"]):
        orders = [spearmanr(r["weight"], r["leakage_mean"]).statistic for _, r in rows.groupby("seed")]
        print(f"{objective} on {on}: Spearman of weight and leakage of the mean {np.round(orders, 2).tolist()}")


def train(setting: str, dataset: str, objective: str, on: str, seed: int) -> pd.DataFrame:
    """All weights of one choice."""
    import scpareto as sp

    options = SETTINGS[setting]
    adata = load(dataset, n_genes=options["n_genes"])
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=seed)
    model.train(
        options["pretrain"] + options["epochs"],
        max_epochs_pretrain=options["pretrain"],
        method="scalarization",
        objective=objective,
        objective_kwargs={"on": on},
        preferences=WEIGHTS / (1 + WEIGHTS),
        plan_kwargs={"scaler": "none"},
        progress=False,
    )
    sp.front.audit_front(model, model.front, progress=False)
    table = model.front.to_dataframe()
    # The last point is the strongest extreme, an infinite weight.
    table = table.iloc[:-1].assign(weight=[0.0, *WEIGHTS], objective=objective, on=on, dataset=dataset, setting=setting)
    columns = [c for c in table if c.startswith("leakage_")]
    return table[[*KEYS, "weight", "generative_loss_test", f"{objective}_test", *columns, "retention"]].rename(
        columns={f"{objective}_test": "objective_test"}
    )


def draw(table: pd.DataFrame) -> None:
    """Leakage of mean and samples against weight, one panel for each choice."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(OBJECTIVES), len(CODES), figsize=(9, 5.4), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    looks = {"leakage_mean": ("#0072B2", "o", "posterior mean"), "leakage_sample": ("#E69F00", "s", "samples")}
    for row, objective in enumerate(OBJECTIVES):
        for column, on in enumerate(CODES):
            axis, some = axes[row, column], table[(table["objective"] == objective) & (table["on"] == on)]
            for name, (colour, marker, label) in looks.items():
                for _, front in some.groupby("seed"):
                    front = front.sort_values("weight")
                    axis.plot(np.maximum(front["weight"], 0.1), front[name], color=colour, alpha=0.35, lw=0.8)
                middle = some.groupby("weight")[name].mean()
                axis.plot(np.maximum(middle.index, 0.1), middle, color=colour, marker=marker, ms=5, label=label)
            axis.axhline(0, color="0.7", lw=0.8, zorder=0)
            axis.set_xscale("log")
            axis.set_xticks([0.1, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
            axis.minorticks_off()
            axis.spines[["top", "right"]].set_visible(False)
            axis.set_title(f"{objective}, critic sees {on}", fontsize=10)
    axes[0, 0].legend(frameon=False, title="batch leaks from")
    figure.supxlabel("weight of batch information against generative loss (nats against nats)", fontsize=10)
    figure.supylabel("leakage, test cells (nats)", fontsize=10)
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
