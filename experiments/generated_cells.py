"""How realistic and how diverse are generated cells of real data?

Claims of Yu and Welch (2021) under test: by random-forest error and inception score WGAN-GP >= MichiGAN > VAE >
beta-TCVAE > PCA, Gaussian mixture.

    python experiments/generated_cells.py --setting small --seeds 1 --resume

Held-out real cells (n of them, at most 3,000) against as many generated ones, in at most n / 10 principal components of
the training cells; the ceiling is real against real at the same n. MichiGAN and autoencoders start from sampled codes
of these cells, WGAN-GP from noise. Autoencoders are decoded in two ways: the mean, and a draw from the likelihood that
was fitted, which for a Gaussian is the mean plus unit noise as published. The draw is the model's own claim about cells
and the fair one; the mean alone is recognised at once, as it has no noise at all. Writes results/generated_cells.csv
(one row per method and epoch) and results/generated_cells.png.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from generative import SETTINGS, autoencoder, generator, halves, posterior, real_cells
from shared import RESULTS, run_missing

if TYPE_CHECKING:
    from anndata import AnnData

TABLE, FIGURE = RESULTS / "generated_cells.csv", RESULTS / "generated_cells.png"
KEYS = ("setting", "dataset", "seed")
DATASETS = ("kang_ifnb_pbmc", "paul15_myeloid", "pbmc_facs")
EVERY = {"small": 50, "full": 100}
# Few cells make short epochs: more of them, and a slower average of the generator, than where GANs are a side show.
TRAINING = {"small": {"max_epochs": 300}, "full": {}}
PLAN = {"small": {"average": 0.995}, "full": {}}
TREES = {"small": 50, "full": 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [(arguments.setting, data, seed) for seed in range(arguments.seeds) for data in arguments.datasets]
    table = run_missing(run, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    draw(table)
    last = table.sort_values("epoch").groupby(["dataset", "seed", "method"]).tail(1)
    print(last.groupby(["dataset", "method"])[["random_forest_error", "inception_score"]].mean().round(3).to_string())


def run(setting: str, dataset: str, seed: int) -> pd.DataFrame:
    """Every method on one dataset."""
    rows = compare_methods(real_cells(dataset, SETTINGS[setting]["n_genes"]), setting, seed)
    keys = pd.DataFrame([(setting, dataset, seed)] * len(rows), columns=list(KEYS))
    return pd.concat([keys, rows], axis=1)


def compare_methods(adata: AnnData, setting: str, seed: int) -> pd.DataFrame:
    """Scores of every method on log-normalised cells with ``obs["cell_type"]``."""
    import scpareto as sp

    size = SETTINGS[setting]
    train, test = halves(adata, seed)
    test = test[: min(3000, test.n_obs)].copy()
    rows: list[dict[str, Any]] = []

    def note(method: str, cells: np.ndarray, epoch: int) -> None:
        rows.append({"method": method, "epoch": epoch} | scores(cells, train, test, TREES[setting], seed))

    encoders = {name: autoencoder(train, setting, seed, beta=beta) for name, beta in (("vae", 0.0), ("tcvae", 10.0))}
    for name, model in encoders.items():
        mean, scale = posterior(model, test)
        sampled = mean + scale * np.random.default_rng(seed).standard_normal(mean.shape)
        note(f"{name}, mean", model.decode(sampled), size["epochs"])
        note(f"{name}, likelihood", model.decode(sampled, sample=True, seed=seed), size["epochs"])
    pca = sp.model.ProbabilisticPCA(10, seed=seed).fit(train.X)
    note("pca, likelihood", pca.decode(pca.posterior(test.X)[0], sample=True, seed=seed), 1)
    note("pca, mean", pca.decode(pca.posterior(test.X)[0]), 1)
    mixture = sp.model.ExpressionMixture((1, 5, 10, 20, 40), n_pcs=30, seed=seed).fit(train.X)
    note("gmm", mixture.generate(test.n_obs, seed=seed), 1)
    # The ceiling: components fitted without the cells that stand in for generated ones.
    chosen = np.isin(np.arange(train.n_obs), np.random.default_rng(seed).choice(train.n_obs, test.n_obs, replace=False))
    ceiling = scores(train.X[chosen], train[~chosen], test, TREES[setting], seed)
    rows.append({"method": "real", "epoch": 1} | ceiling)

    how = {"training": TRAINING[setting], "plan": PLAN[setting]}

    def watched(method: str, codes: np.ndarray | None) -> Any:
        def on_epoch(model: Any, epoch: int) -> None:
            if epoch % EVERY[setting] == 0:
                made = (
                    model.generate(n_cells=test.n_obs, seed=seed) if codes is None else model.generate(codes, seed=seed)
                )
                note(method, made, epoch)

        return on_epoch

    sampled_codes = how | {"training": how["training"] | {"codes": "sample"}}
    posteriors = {name: (posterior(model, train), posterior(model, test)) for name, model in encoders.items()}
    posteriors["pca"] = (pca.posterior(train.X), pca.posterior(test.X))
    for name, (own, (mean, scale)) in posteriors.items():
        codes = mean + scale * np.random.default_rng(seed).standard_normal(mean.shape)
        generator(train, setting, seed, own, on_epoch=watched(f"michigan, {name}", codes), **sampled_codes)
    generator(train, setting, seed, None, on_epoch=watched("wgan", None), conditional=False, **how)
    return pd.DataFrame(rows)


def scores(cells: np.ndarray, train: AnnData, test: AnnData, n_trees: int, seed: int) -> dict[str, float]:
    """Random-forest error and inception score of generated cells."""
    import scpareto as sp

    error = sp.metrics.random_forest_error(test.X, cells, reference=train.X, n_trees=n_trees, seed=seed)
    inception = sp.metrics.inception_score(train.X, train.obs["cell_type"], cells, n_trees=n_trees, seed=seed)
    return {"random_forest_error": error, "inception_score": inception.value}


def draw(table: pd.DataFrame) -> None:
    """Both scores against epoch: lines for GANs, levels for the others."""
    import matplotlib.pyplot as plt

    from scpareto.pl._palette import PALETTE
    from scpareto.pl._style import MUTED, tidy

    datasets = list(dict.fromkeys(table["dataset"]))
    columns = (("random_forest_error", "random-forest error"), ("inception_score", "inception score"))
    figure, axes = plt.subplots(
        len(columns),
        len(datasets),
        figsize=(2.4 * len(datasets), 3.8),
        squeeze=False,
        sharex=True,
        layout="constrained",
    )
    gans = {
        "wgan": "WGAN-GP",
        "michigan, pca": "MichiGAN on PCA",
        "michigan, vae": "MichiGAN on VAE",
        "michigan, tcvae": "MichiGAN on TCVAE",
    }
    levels = {
        "vae, mean": ("VAE, mean", PALETTE[4], ":"),
        "vae, likelihood": ("VAE, drawn", PALETTE[4], "--"),
        "tcvae, mean": ("TCVAE, mean", PALETTE[5], ":"),
        "tcvae, likelihood": ("TCVAE, drawn", PALETTE[5], "--"),
        "pca, likelihood": ("PCA, drawn", PALETTE[8], "--"),
        "gmm": ("Gaussian mixture", PALETTE[8], "-."),
        "real": ("real cells", "k", "-"),
    }
    for row, (column, title) in enumerate(columns):
        for axis, dataset in zip(axes[row], datasets, strict=True):
            some = table[table["dataset"] == dataset]
            for (method, label), color in zip(gans.items(), PALETTE, strict=False):
                curve = some[some["method"] == method].groupby("epoch")[column].mean()
                axis.plot(curve.index, curve, color=color, lw=1.3, marker="o", ms=2.5, label=label)
            for method, (label, color, style) in levels.items():
                value = some.loc[some["method"] == method, column].mean()
                axis.axhline(value, color=color, lw=0.9, ls=style, label=label)
            tidy(axis)
            if row == 0:
                axis.set_title(dataset, fontsize=7, color=MUTED)
            else:
                axis.set_xlabel("epoch", fontsize=7)
        axes[row][0].set_ylabel(title, fontsize=7)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(4, 2 * len(datasets)), frameon=False, fontsize=6
    )
    figure.savefig(FIGURE, dpi=200)


if __name__ == "__main__":
    main()
