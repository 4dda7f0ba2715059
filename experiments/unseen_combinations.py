"""Cells of combinations that were never seen: MichiGAN, autoencoders and the baselines that are hard to beat.

Claims of Yu and Welch (2021) under test: latent arithmetic with MichiGAN on sampled codes gives more realistic cells of
an unseen combination than its autoencoder does. Every stimulated cell type of kang_ifnb_pbmc, and every treated patient
of glioblastoma_panobinostat, is left out in turn; the models are trained on everything else.

    python experiments/unseen_combinations.py --setting small --seeds 1 --resume

Random-forest error (0.5: cannot be told from real cells; the ceiling is real against real cells), coefficient of
determination of the mean expression, and of the response (mean minus mean of the untreated cells) in the 50 genes that
change most: its correlation with the true response. Methods ending in "difference" add the generated change to real
untreated cells. Writes results/unseen_combinations.csv, results/unseen_combinations_tests.csv and
results/unseen_combinations.png.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from generative import SETTINGS, autoencoder, generator, posterior, real_cells
from shared import RESULTS, run_missing

if TYPE_CHECKING:
    from anndata import AnnData

TABLE, TESTS = RESULTS / "unseen_combinations.csv", RESULTS / "unseen_combinations_tests.csv"
FIGURE = RESULTS / "unseen_combinations.png"
KEYS = ("setting", "dataset", "held_out", "seed")
DATASETS = {
    "kang_ifnb_pbmc": ("cell_type", "ctrl", "stim"),
    "glioblastoma_panobinostat": ("batch", "ctrl", "panobinostat"),
}
HELD_OUT = {
    "kang_ifnb_pbmc": ("B cells", "CD14+ Monocytes", "CD4 T cells", "CD8 T cells", "FCGR3A+ Monocytes"),
    "glioblastoma_panobinostat": ("PW030", "PW032", "PW034", "PW036", "PW040"),
}
MOST_CELLS = {"small": 1600, "full": 5000}
N_TOP = 50
LABELS = {
    "real": "real cells (ceiling)",
    "michigan_sample": "MichiGAN, sampled codes",
    "michigan_mean": "MichiGAN, mean codes",
    "michigan_difference": "MichiGAN, difference",
    "tcvae_noise": "beta-TCVAE, mean + noise",
    "tcvae": "beta-TCVAE, mean",
    "tcvae_difference": "beta-TCVAE, difference",
    "vae_noise": "VAE, mean + noise",
    "vae": "VAE, mean",
    "no_change": "no change",
    "condition_mean": "treated cells of others",
    "additive_shift": "additive shift of genes",
    "linear_regression": "linear regression",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [
        (arguments.setting, data, which, seed)
        for seed in range(arguments.seeds)
        for data in arguments.datasets
        for which in HELD_OUT[data]
    ]
    table = run_missing(predict, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    tests = compare(table)
    tests.to_csv(TESTS, index=False, float_format="%.3g")
    draw(table)
    print(tests.to_string(index=False))


def predict(setting: str, dataset: str, held_out: str, seed: int) -> pd.DataFrame:
    """Every method's prediction of one left-out combination."""
    context, control, treated = DATASETS[dataset]
    adata = real_cells(dataset, SETTINGS[setting]["n_genes"])
    if adata.n_obs > MOST_CELLS[setting]:
        kept = np.random.default_rng(0).choice(adata.n_obs, MOST_CELLS[setting], replace=False)
        adata = adata[np.sort(kept)].copy()
    out = ((adata.obs[context] == held_out) & (adata.obs["condition"] == treated)).to_numpy()
    train, real = adata[~out].copy(), adata[out].X
    source = {context: held_out, "condition": control}
    target = source | {"condition": treated}
    made = predictions(train, setting, seed, source, target, len(real))
    made |= baselines(train, source, target, len(real), seed)
    before = train.X[_cells(train, source)]
    rows = [
        dict(zip(KEYS, (setting, dataset, held_out, seed), strict=True))
        | {"method": name}
        | score(cells, real, before, train.X, setting, seed)
        for name, cells in made.items()
    ]
    half = np.random.default_rng(seed).permutation(len(real))
    first, second = real[half[: len(real) // 2]], real[half[len(real) // 2 :]]
    rows.append(rows[0] | {"method": "real"} | score(first, second, before, train.X, setting, seed))
    return pd.DataFrame(rows)


def predictions(
    train: AnnData, setting: str, seed: int, source: dict, target: dict, n_cells: int
) -> dict[str, np.ndarray]:
    """Predictions of networks by latent arithmetic."""
    import scpareto as sp

    options = {"n_cells": n_cells, "seed": seed}
    made = {}
    for name, beta in (("vae", 0.0), ("tcvae", 10.0)):
        model = autoencoder(train, setting, seed, beta=beta)
        mean, scale = posterior(model, train)
        sampled = mean + scale * np.random.default_rng(seed).standard_normal(mean.shape)
        codes, rows = sp.model.shifted_codes(mean, train.obs, source, target, **options)
        made[name] = model.decode(codes)
        noisy, _ = sp.model.shifted_codes(sampled, train.obs, source, target, **options)
        made[f"{name}_noise"] = model.decode(noisy, sample=True, seed=seed)
        if name == "tcvae":
            made["tcvae_difference"] = train.X[rows] + model.decode(codes) - model.decode(mean[rows])
    for how in ("mean", "sample"):
        gan = generator(train, setting, seed, (mean, scale), training={"codes": how})
        made[f"michigan_{how}"] = gan.predict(source, target, codes=how, **options)
        if how == "mean":
            made["michigan_difference"] = gan.predict(source, target, keep_residual=True, **options)
    return made


def baselines(train: AnnData, source: dict, target: dict, n_cells: int, seed: int) -> dict[str, np.ndarray]:
    """Predictions without a network, cells drawn as those of the source are."""
    import scpareto as sp

    rng = np.random.default_rng(seed)
    shifted, rows = sp.model.shifted_codes(train.X, train.obs, source, target, n_cells=n_cells, seed=seed)
    others = np.flatnonzero((train.obs["condition"] == target["condition"]).to_numpy())
    names = [name for name in source if name != "condition"]
    design = pd.get_dummies(train.obs[[*names, "condition"]].astype(str), dtype=float)
    coefficients = np.linalg.lstsq(design.to_numpy(), train.X, rcond=None)[0]
    change = {
        level: coefficients[list(design).index(f"condition_{level}")]
        for level in (source["condition"], target["condition"])
    }
    return {
        "no_change": train.X[rows],
        "condition_mean": train.X[rng.choice(others, n_cells, replace=n_cells > len(others))],
        "additive_shift": shifted.astype(np.float32),
        "linear_regression": train.X[rows] + change[target["condition"]] - change[source["condition"]],
    }


def score(
    cells: np.ndarray, real: np.ndarray, before: np.ndarray, reference: np.ndarray, setting: str, seed: int
) -> dict[str, float]:
    """Realism of predicted cells, and how close their means are."""
    import scpareto as sp

    truth, found = real.mean(axis=0), cells.mean(axis=0)
    response, predicted = truth - before.mean(axis=0), found - before.mean(axis=0)
    top = np.argsort(-np.abs(response))[:N_TOP]
    spread = predicted[top].std() > 1e-9
    return {
        "random_forest_error": sp.metrics.random_forest_error(
            real, cells, reference=reference, n_trees=SETTINGS[setting]["n_trees"], seed=seed
        ),
        "r2_mean": 1 - float(((truth - found) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()),
        "r2_mean_top": 1 - float(((truth - found)[top] ** 2).sum() / ((truth[top] - truth[top].mean()) ** 2).sum()),
        "response_correlation_top": float(np.corrcoef(response[top], predicted[top])[0, 1]) if spread else 0.0,
        "n_cells": len(real),
    }


def _cells(adata: AnnData, levels: dict) -> np.ndarray:
    return np.logical_and.reduce([(adata.obs[name] == level).to_numpy() for name, level in levels.items()])


def compare(table: pd.DataFrame) -> pd.DataFrame:
    """One-sided Wilcoxon tests of MichiGAN against the others, over left-out combinations and seeds."""
    from scipy.stats import wilcoxon

    rows = []
    wide = table.pivot_table(index=list(KEYS), columns="method", values="random_forest_error")
    for dataset in (*DATASETS, "both"):
        some = wide if dataset == "both" else wide[wide.index.get_level_values("dataset") == dataset]
        for ours in ("michigan_sample", "michigan_mean", "michigan_difference"):
            for other in [m for m in LABELS if m in some and m not in ("real", ours)]:
                gain = (some[ours] - some[other]).dropna()
                if len(gain) > 1 and gain.any():
                    p = wilcoxon(gain, alternative="greater").pvalue
                    row = {"dataset": dataset, "method": ours, "against": other, "n": len(gain)}
                    rows.append(row | {"median_gain": float(gain.median()), "wins": int((gain > 0).sum()), "p": p})
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> None:
    """Random-forest error and response correlation of every method, one point per left-out combination."""
    import matplotlib.pyplot as plt

    from scpareto.pl._palette import PALETTE
    from scpareto.pl._style import tidy

    names = [m for m in LABELS if m in set(table["method"])]
    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.0), layout="constrained", sharey=True)
    columns = (
        ("random_forest_error", "random-forest error"),
        ("response_correlation_top", "correlation of the response"),
    )
    for axis, (column, title) in zip(axes, columns, strict=True):
        for i, dataset in enumerate(dict.fromkeys(table["dataset"])):
            some = table[table["dataset"] == dataset]
            for place, name in enumerate(names):
                values = some.loc[some["method"] == name, column].to_numpy()
                y = np.full(len(values), place) + 0.22 * (i - 0.5)
                axis.plot(
                    values, y, "o", ms=2.6, color=PALETTE[2 * i], alpha=0.8, mew=0, label=dataset if not place else None
                )
                axis.plot([np.median(values)] * 2, [y[0] - 0.14, y[0] + 0.14], color="k", lw=1.0)
        axis.set_xlabel(title, fontsize=7)
        tidy(axis)
        axis.grid(axis="y", lw=0.3, color="#DDDDDD")
    axes[0].set_yticks(range(len(names)), [LABELS[name] for name in names], fontsize=6.5)
    axes[0].invert_yaxis()
    axes[1].legend(frameon=False, fontsize=6, loc="lower left")
    figure.savefig(FIGURE, dpi=200)


if __name__ == "__main__":
    main()
