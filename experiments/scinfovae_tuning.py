"""How the defaults of ScInfoVAE were found: one axis at a time, on worm_neuron only.

Variants of the defaults differ from them in one choice. Scores are those of K-means with the true number of clusters,
before and after fine-tuning; those of `held_out` are of the tenth of the cells that no step has seen.

    python experiments/scinfovae_tuning.py --setting small --seeds 2 --jobs 1 --resume

Writes results/scinfovae_tuning.csv (one row per variant and seed) and results/scinfovae_tuning.png.
"""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd
from shared import RESULTS, data_folder, run_missing

TABLE, FIGURE = RESULTS / "scinfovae_tuning.csv", RESULTS / "scinfovae_tuning.png"
KEYS = ("setting", "dataset", "method", "seed")
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {"pretrain": 100, "finetune": 15, "patience": 12},
    "full": {"pretrain": 600, "finetune": 500, "patience": 30},
}
AXES: dict[str, dict[str, dict[str, Any]]] = {
    "": {"defaults": {}},
    "alpha, lambda": {
        "alpha 0, lambda 1": {"alpha": 0.0, "lambda_": 1.0},
        "alpha 0.5": {"alpha": 0.5},
        "alpha 1": {"alpha": 1.0},
        "lambda 10": {"lambda_": 10.0},
        "lambda 30": {"lambda_": 30.0},
        "lambda 1000": {"lambda_": 1000.0},
    },
    "noise": {"noise 0": {"input_noise": 0.0}, "noise 0.75": {"input_noise": 0.75}, "noise 2.5": {"input_noise": 2.5}},
    "likelihood": {
        "gene-cell dispersion": {"dispersion": "gene-cell"},
        "nb": {"gene_likelihood": "nb"},
        "log_mse": {"gene_likelihood": "log_mse"},
        "paper_mse": {"gene_likelihood": "paper_mse"},
    },
    "divergence": {
        "tutorial kernel": {"kernel": "tutorial"},
        "js": {"divergence": "js"},
        "stein": {"divergence": "stein"},
    },
    "network": {
        "5 codes": {"n_latent": 5},
        "20 codes": {"n_latent": 20},
        "32 codes": {"n_latent": 32},
        "no batch norm in the decoder": {"use_batch_norm": "encoder"},
        "no batch norm": {"use_batch_norm": "none"},
        "dropout 0.1": {"dropout_rate": 0.1},
    },
    "data and steps": {
        "1,000 genes": {"n_top_genes": 1000},
        "2,000 genes": {"n_top_genes": 2000},
        "learning rate 3e-4": {"lr": 3e-4},
        "minibatches of 128": {"batch_size": 128},
    },
    "together": {
        "lambda 10, noise 0.75": {"lambda_": 10.0, "input_noise": 0.75},
        "lambda 30, noise 1": {"lambda_": 30.0, "input_noise": 1.0},
    },
    "fine-tuning": {
        "last state": {"restore_best": None},
        "last state, gamma 100": {"restore_best": None, "gamma": 100.0},
        "last state, without KL": {"restore_best": None, "finetune_objective": "paper"},
    },
}
LITERATURE = (0.462, 0.512)
"""Adjusted Rand indices of graph-sc (both ends), scVI (0.484) and scDeepCluster (0.490) on this set."""
VARIANTS = {name: options for axis in AXES.values() for name, options in axis.items()}
OF_TRAINING, OF_DATA = ("restore_best", "finetune_objective", "lr", "batch_size"), ("n_top_genes",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [
        (arguments.setting, "worm_neuron", variant, seed) for seed in range(arguments.seeds) for variant in VARIANTS
    ]
    rows = run_missing(train, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    draw(rows)
    print(rows.groupby("method", sort=False)[["ari_before", "ari_after", "nmi_after"]].mean().to_string())


def train(setting: str, dataset: str, variant: str, seed: int) -> pd.DataFrame:
    """One model."""
    import scanpy as sc
    import torch
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    import scpareto as sp

    options, changes = SETTINGS[setting], VARIANTS[variant]
    counts = sc.read_h5ad(data_folder() / f"{dataset}.h5ad")
    adata = sp.pp.prepare_scinfovae(counts, **{name: changes[name] for name in OF_DATA if name in changes})
    torch.set_num_threads(1)
    labels = adata.obs["cell_type"].astype(str).to_numpy()
    sp.model.ScInfoVAE.setup_anndata(adata)
    of_model = {name: value for name, value in changes.items() if name not in OF_TRAINING + OF_DATA}
    model = sp.model.ScInfoVAE(adata, n_clusters=len(set(labels)), seed=seed, **of_model)
    model.train(
        options["pretrain"],
        options["finetune"] if changes == {} or "restore_best" in changes else 0,
        patience=options["patience"],
        progress=False,
        **{name: value for name, value in changes.items() if name in OF_TRAINING},
    )
    held_out = model.validation_indices_
    row: dict[str, Any] = {"setting": setting, "dataset": dataset, "method": variant, "seed": seed}
    for when, clusters in (("before", model.pretrained_clusters_), ("after", model.clusters_)):
        row[f"ari_{when}"] = adjusted_rand_score(labels, clusters)
        row[f"nmi_{when}"] = normalized_mutual_info_score(labels, clusters)
    row["ari_held_out"] = adjusted_rand_score(labels[held_out], model.clusters_[held_out])
    row["pretraining_epochs"] = len(model.history["pretraining_epoch"])
    row["loss_held_out"] = float(model.history["pretraining_total_validation"].min().iloc[0])
    return pd.DataFrame([row])


def draw(rows: pd.DataFrame) -> None:
    """ARI of every variant, seeds as points."""
    import matplotlib.pyplot as plt

    from scpareto.pl._palette import HIGHLIGHT
    from scpareto.pl._style import COLUMN_WIDTH, FAINT, INK, LABEL_SIZE, MUTED, NOTE_SIZE, tidy

    shown = [variant for variant in VARIANTS if variant in set(rows["method"])]
    figure, axis = plt.subplots(figsize=(COLUMN_WIDTH, 0.19 * len(shown) + 0.6), layout="constrained")
    default = rows.loc[rows["method"] == "defaults", "ari_after"].mean()
    axis.axvline(default, color=HIGHLIGHT, lw=0.8, zorder=0)
    for y, variant in enumerate(shown):
        values = rows.loc[rows["method"] == variant, "ari_after"]
        axis.plot(values, [y] * len(values), "o", ms=3, color=MUTED)
        axis.plot(values.mean(), y, "|", ms=9, mew=1.6, color=INK)
    axis.set_yticks(range(len(shown)), shown)
    axis.set_ylim(len(shown) - 0.4, -0.9)
    axis.axvspan(*LITERATURE, color=FAINT, alpha=0.5, lw=0, zorder=-1)
    axis.annotate("other methods", (LITERATURE[0], -0.5), fontsize=NOTE_SIZE, color=MUTED, ha="right", va="center")
    axis.set_xlabel("adjusted Rand index, tuning set", fontsize=LABEL_SIZE)
    tidy(axis)
    figure.savefig(FIGURE, dpi=200)


if __name__ == "__main__":
    main()
