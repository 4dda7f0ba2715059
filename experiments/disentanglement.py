"""Do dimensions of the codes follow single factors of variation, and does a generator keep that?

Claims of Yu and Welch (2021) under test: beta-TCVAE has a larger mutual information gap than VAE and PCA on simulated
paths and branches; the Spearman gap is largest for PCA; the gap of MichiGAN's generator is that of the encoder whose
codes it was given, while the gaps of WGAN-GP and InfoWGAN-GP are far below.

    python experiments/disentanglement.py --setting small --seeds 3 --resume

All numbers are of held-out cells. Published (10,000 cells, 1,000 epochs; PCA / VAE / beta-TCVAE): mutual information
gap .54 / .48 / .72 (linear), .55 / .43 / .66 (non-linear). The FactorVAE score is given in its original form and in
that of the published code, which records the dimension of largest variance. Writes results/disentanglement.csv,
results/disentanglement_generators.csv and results/disentanglement.png.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from generative import SETTINGS, STRONGER, autoencoder, generator, halves, log_normalised, posterior, real_cells
from shared import RESULTS, run_missing

if TYPE_CHECKING:
    from anndata import AnnData

TABLE, GENERATORS = RESULTS / "disentanglement.csv", RESULTS / "disentanglement_generators.csv"
FIGURE = RESULTS / "disentanglement.png"
KEYS = ("setting", "dataset", "n_latent", "method", "seed")
PATHS = ("splatter_linear", "splatter_nonlinear")
BRANCHES = ("branches_3", "branches_4", "branches_5")
REAL = ("cellmix_9cell", "primate_neural_diff")
FACTORS = {
    "splatter": ["batch", "path", "step", "library_size"],
    "branches": ["branch", "time", "library_size"],
    "cellmix": ["n_H1975", "n_H2228", "n_HCC827"],
    "primate": ["pseudotime"],
}
ENCODERS = ("pca", "vae", "tcvae_10", "tcvae_50")
GANS = ("michigan_pca", "michigan_tcvae", "wgan", "infowgan")
LABELS = {
    "pca": "PCA",
    "vae": "VAE",
    "tcvae_10": "beta-TCVAE, 10",
    "tcvae_50": "beta-TCVAE, 50",
    "michigan_pca": "MichiGAN on PCA",
    "michigan_tcvae": "MichiGAN on TCVAE",
    "wgan": "WGAN-GP",
    "infowgan": "InfoWGAN-GP",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=("encoders", "generators", "real"), help="a part of the experiment")
    parser.add_argument("--datasets", nargs="+", default=(*PATHS, *BRANCHES, *REAL))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    options: dict[str, Any] = {"jobs": arguments.jobs, "resume": arguments.resume}
    seeds, setting = range(arguments.seeds), arguments.setting
    encoders = [(setting, data, "10", method, s) for s in seeds for data in PATHS for method in ENCODERS[:3]]
    encoders += [(setting, data, "10", m, s) for s in seeds for data in BRANCHES for m in ("pca", "vae", "tcvae_50")]
    encoders += [(setting, data, "4", method, s) for s in seeds for data in PATHS for method in ENCODERS[:3]]
    encoders += [(setting, data, "10", "tcvae_50", s) for s in seeds for data in PATHS]
    real = [(setting, data, "10", m, s) for s in seeds for data in REAL for m in ("pca", "vae", "tcvae_10")]
    generators = [(setting, data, "10", method, s) for s in seeds for data in PATHS for method in GANS]
    encoders, real, generators = (
        [r for r in runs if r[1] in arguments.datasets] for runs in (encoders, real, generators)
    )
    if arguments.only in (None, "encoders"):
        run_missing(encode, encoders, KEYS, TABLE, **options)
    if arguments.only in (None, "real"):
        run_missing(encode, real, KEYS, TABLE, **options | {"resume": True})
    if arguments.only in (None, "generators"):
        run_missing(generate, generators, KEYS, GENERATORS, **options)
    draw()


def cells(setting: str, dataset: str, seed: int) -> tuple[AnnData, pd.DataFrame]:
    """Log-normalised cells and their known factors."""
    import scpareto as sp

    size = SETTINGS[setting]
    kind, _, variant = dataset.partition("_")
    sizes = {"n_cells": size["n_cells"], "n_genes": size["n_genes"], "seed": seed}
    if kind == "splatter":
        stronger = STRONGER if setting == "small" else {}
        adata = log_normalised(sp.datasets.simulate_splatter(step=variant, **sizes, **stronger))
    elif kind == "branches":
        adata = log_normalised(sp.datasets.simulate_branches(n_branches=int(variant), **sizes))
    else:
        adata = real_cells(dataset, size["n_genes"])
    return adata, adata.obs[FACTORS[kind]]


def fit(adata: AnnData, setting: str, method: str, n_latent: int, seed: int) -> Any:
    """Posterior function of a method fitted to training cells."""
    import scpareto as sp

    if method == "pca":
        model = sp.model.ProbabilisticPCA(n_latent, seed=seed).fit(adata.X)
        return lambda some: model.posterior(some.X)
    beta = float(method.partition("_")[2] or 0)
    # Published for four dimensions and a linear step.
    beta = 5.0 if n_latent == 4 and beta == 10 else beta
    model = autoencoder(adata, setting, seed, beta=beta, n_latent=n_latent)
    return lambda some: posterior(model, some)


def encode(setting: str, dataset: str, n_latent: str, method: str, seed: int) -> pd.DataFrame:
    """Scores of one encoder on held-out cells."""
    import scpareto as sp
    from scpareto.metrics._factor_vae_score import score_votes

    adata, factors = cells(setting, dataset, seed)
    train, test = halves(adata, seed)
    encoded = fit(train, setting, method, int(n_latent), seed)
    mean, scale = encoded(test)
    known = factors.loc[test.obs_names]
    ordered = known.drop(columns=[c for c in ("branch",) if c in known])
    row = dict(zip(KEYS, (setting, dataset, n_latent, method, seed), strict=True))
    row["mutual_information_gap"] = sp.metrics.mutual_information_gap(mean, known, scale=scale, seed=seed).value
    row["spearman_gap"] = sp.metrics.spearman_gap(mean, ordered).value
    if known.shape[1] > 1:
        row["factor_vae"] = sp.metrics.factor_vae_score(mean, known, seed=seed).value
        published = score_votes(mean, known, np.argmax, n_votes=10_000, cells_per_vote=40, seed=seed)
        row["factor_vae_published_code"] = published.value
    return pd.DataFrame([row])


def generate(setting: str, dataset: str, n_latent: str, method: str, seed: int) -> pd.DataFrame:
    """Spearman gap of a generator, factors of generated cells predicted from real training cells."""
    import scpareto as sp

    adata, factors = cells(setting, dataset, seed)
    train, test = halves(adata, seed)
    known = as_numbers(factors)
    row = dict(zip(KEYS, (setting, dataset, n_latent, method, seed), strict=True))
    kind, _, source = method.partition("_")
    if kind == "michigan":
        encoded = fit(train, setting, {"tcvae": "tcvae_10"}.get(source, source), int(n_latent), seed)
        model = generator(train, setting, seed, encoded(train))
        codes = encoded(test)[0]
        row["spearman_gap_encoder"] = sp.metrics.spearman_gap(codes, known.loc[test.obs_names]).value
        real = predicted_factors(train, known, test.X)
        row["spearman_gap_encoder_predicted"] = sp.metrics.spearman_gap(codes, real).value
    else:
        informed = kind == "infowgan"
        model = generator(
            train,
            setting,
            seed,
            None,
            plan={"information_weight": 1.0} if informed else None,
            conditional=False,
            infer_codes=informed,
            n_latent=int(n_latent),
        )
        codes = np.random.default_rng(seed).standard_normal((test.n_obs, int(n_latent)))
    made = predicted_factors(train, known, model.generate(codes, seed=seed))
    row["spearman_gap_generator"] = sp.metrics.spearman_gap(codes, made).value
    row["relative_variance"] = float(model.history["relative_variance"].iloc[-1])
    return pd.DataFrame([row])


def as_numbers(factors: pd.DataFrame) -> pd.DataFrame:
    """Factors as numbers, to be averaged over neighbours."""
    return factors.apply(lambda c: c.cat.codes if isinstance(c.dtype, pd.CategoricalDtype) else c).astype(float)


def predicted_factors(train: AnnData, known: pd.DataFrame, cells_to_judge: np.ndarray) -> pd.DataFrame:
    """Factors of cells by three-nearest-neighbour regression from real training cells, in principal components."""
    from sklearn.decomposition import PCA
    from sklearn.neighbors import KNeighborsRegressor

    pca = PCA(10, random_state=0).fit(train.X)
    own = known.loc[train.obs_names]
    found = KNeighborsRegressor(3).fit(pca.transform(train.X), own).predict(pca.transform(cells_to_judge))
    # A factor that all generated cells share has no rank correlation with anything.
    frame = pd.DataFrame(np.reshape(found, (len(cells_to_judge), -1)), columns=own.columns)
    jitter = 1e-9 * np.random.default_rng(0).standard_normal(frame.shape)
    return frame + jitter


def draw() -> None:
    """Mutual information gap of encoders, and Spearman gap of generators beside their encoders."""
    import matplotlib.pyplot as plt

    from scpareto.pl._palette import PALETTE
    from scpareto.pl._style import tidy

    table = pd.read_csv(TABLE)
    made = pd.read_csv(GENERATORS) if GENERATORS.exists() else pd.DataFrame()
    table["case"] = table["dataset"].str.replace("_", " ") + ", d = " + table["n_latent"].astype(str)
    figure, axes = plt.subplots(2, 1, figsize=(3.5, 4.8), layout="constrained")
    wanted = [f"{name.replace('_', ' ')}, d = {d}" for name in (*PATHS, *BRANCHES, *REAL) for d in (10, 4)]
    cases = [case for case in wanted if case in set(table["case"])]
    methods = [m for m in ENCODERS if m in set(table["method"])]
    grouped = table.groupby(["method", "case"])["mutual_information_gap"].agg(["mean", "std"])
    for place, case in enumerate(cases):
        there = [m for m in methods if (m, case) in grouped.index]
        for i, method in enumerate(there):
            mean, sd = grouped.loc[(method, case)].fillna(0)
            x = place + 0.8 / len(there) * (i - (len(there) - 1) / 2)
            look = {"color": PALETTE[methods.index(method)], "error_kw": {"lw": 0.6}}
            axes[0].bar(x, mean, 0.74 / len(there), yerr=sd, **look)
    handles = [plt.Rectangle((0, 0), 1, 1, color=PALETTE[i]) for i in range(len(methods))]
    names = [LABELS[m] for m in methods]
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "frameon": False, "fontsize": 6.5}
    axes[0].legend(handles, names, ncols=4, columnspacing=1.0, handlelength=1.0, **place)
    axes[0].set_xticks(range(len(cases)), cases, rotation=35, ha="right", fontsize=6)
    axes[0].set_ylabel("mutual information gap", fontsize=7)
    if len(made):
        columns = ["spearman_gap_encoder", "spearman_gap_encoder_predicted", "spearman_gap_generator"]
        means = made.groupby(["dataset", "method"])[columns].agg(["mean", "std"])
        order = [(d, m) for d in PATHS for m in GANS if (d, m) in means.index]
        means = means.reindex(order)
        titles = ("encoder", "encoder, factors predicted", "generator")
        for i, (column, title) in enumerate(zip(columns, titles, strict=True)):
            x = np.arange(len(order)) + 0.28 * (i - 1)
            error = means[column]["std"].fillna(0)
            look = {"color": PALETTE[(3, 1, 4)[i]], "label": title, "error_kw": {"lw": 0.6}}
            axes[1].bar(x, means[column]["mean"].fillna(0), 0.26, yerr=error, **look)
        ticks = [f"{LABELS[m]}, {d.split('_')[1]}" for d, m in order]
        axes[1].set_xticks(range(len(order)), ticks, rotation=35, ha="right", fontsize=6)
        axes[1].set_ylabel("Spearman gap", fontsize=7)
        axes[1].legend(ncols=3, columnspacing=1.0, handlelength=1.0, **place)
    for axis in axes:
        tidy(axis)
        axis.tick_params(axis="x", labelsize=6)
    figure.savefig(FIGURE, dpi=200)


if __name__ == "__main__":
    main()
