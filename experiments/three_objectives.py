"""A front of three objectives on real cells: generative loss, batch, and a continuous quality metric.

Claim under test: batch and a quality metric can be traded separately; a preference for one lowers what codes tell of
that one.

    python experiments/three_objectives.py --setting small --seeds 1 --jobs 1 --resume

The quality metric is the share of counts in ribosomal genes of scanpy's calculate_qc_metrics, on pbmc_multistudy;
its information in the codes is read by MINE critics from scratch, on test cells. Writes results/three_objectives.csv
(one row per point) and results/three_objectives.png.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr
from shared import RESULTS, data_folder, load, run_missing

if TYPE_CHECKING:
    import pandas as pd

TABLE, FIGURE = RESULTS / "three_objectives.csv", RESULTS / "three_objectives.png"
KEYS = ("setting", "dataset", "method", "seed")
QUALITY = "pct_counts_ribo"
N_POINTS = 15
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {"n_genes": 1000, "pretrain": 60, "epochs": 30},
    "full": {"n_genes": 2000, "pretrain": None, "epochs": None},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--methods", nargs="+", default=["pareto_mtl", "tchebycheff"])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [
        (arguments.setting, "pbmc_multistudy", method, seed)
        for seed in range(arguments.seeds)
        for method in arguments.methods
    ]
    table = run_missing(train, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    draw(table)
    for method, front in table.groupby("method"):
        for name in ("batch", "quality"):
            order = spearmanr(front[f"preference_{name}"], front[f"information_{name}"]).statistic
            print(f"{method}: Spearman of preference and information, {name}: {order:.2f}")
        print(f"{method}: non-dominated {front['non_dominated'].mean():.2f}")


def train(setting: str, dataset: str, method: str, seed: int) -> pd.DataFrame:
    """One front of three objectives."""
    import scanpy as sc

    import scpareto as sp

    options = SETTINGS[setting]
    adata = load(dataset, n_genes=options["n_genes"])
    everything = sc.read_h5ad(data_folder() / f"{dataset}.h5ad")[adata.obs_names].copy()
    everything.var["ribo"] = everything.var_names.str.upper().str.match(r"RP[SL]\d")
    sc.pp.calculate_qc_metrics(everything, qc_vars=["ribo"], inplace=True, percent_top=None)
    adata.obs[QUALITY] = everything.obs[QUALITY].astype(float)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch", nuisance_keys=[QUALITY])
    model = sp.model.ParetoVI(adata, seed=seed)
    model.train(
        options["pretrain"] + options["epochs"],
        max_epochs_pretrain=options["pretrain"],
        method=method,
        objective=["classifier", "mine"],
        objective_kwargs=[{}, {"target": QUALITY}],
        n_points=N_POINTS + 3,  # and the three ends
        progress=False,
    )
    names = {"classifier": "batch", f"mine_{QUALITY}": "quality"}
    sp.front.audit_front(model, model.front, progress=False)
    # As published: by the losses of all three objectives on test cells.
    of_losses = model.front.non_dominated("test")
    table = model.front.to_dataframe().assign(setting=setting, dataset=dataset, method=method, non_dominated=of_losses)
    table = table.rename(columns={f"preference_{k}": f"preference_{v}" for k, v in names.items()})
    table = table.rename(columns={f"{k}_test": f"information_{v}" for k, v in names.items()})
    columns = ["point", "kind", "preference_generative_loss", "preference_batch", "preference_quality"]
    columns += ["generative_loss_test", "information_batch", "information_quality", "non_dominated"]
    return table[[*KEYS, *columns, "leakage_mean", "leakage_sample", "retention"]]


def draw(table: pd.DataFrame) -> None:
    """Information about batch against that about the quality metric, coloured by generative loss."""
    import matplotlib.pyplot as plt

    methods = list(dict.fromkeys(table["method"]))
    figure, axes = plt.subplots(
        1,
        len(methods),
        figsize=(4.3 * len(methods), 3.6),
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    low, high = np.quantile(table["generative_loss_test"], [0, 0.9])
    for axis, method in zip(axes[0], methods, strict=True):
        front = table[table["method"] == method]
        inner = front["kind"] != "extreme"
        for some, marker, label in ((front[inner], "o", "candidate"), (front[~inner], "D", "extreme")):
            dots = axis.scatter(
                some["information_batch"],
                some["information_quality"],
                c=some["generative_loss_test"],
                vmin=low,
                vmax=high,
                cmap="viridis",
                marker=marker,
                edgecolor="k",
                lw=0.4,
                s=45,
                label=label,
            )
        for _, point in front.iterrows():
            place = (point["information_batch"], point["information_quality"])
            axis.annotate(f"{point['point']:.0f}", place, fontsize=7, xytext=(4, 3), textcoords="offset points")
        axis.set(title=method, xlabel="information about batch (nats)")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel("information about the share of\nribosomal counts (nats)")
    axes[0, 0].legend(frameon=False)
    figure.colorbar(dots, ax=axes, label="generative loss, test cells (nats)")
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
