"""The toy of the note on batch correction in asapR: every variant, means of genes against the truth, mixing of cells.

Claims under test: contrasts of the effects are right (correlation above 0.999, slope 1) and do not follow expression;
the correlation of each batch's effects with the truth comes near its ceiling, .707 for two batches, where only
contrasts are identified; adjusted means are nearer to the truth than raw ones; the likelihood never falls. The toy does
not tell methods apart: composition is the same in both batches, so that the ratio of batch means is as good.

    python experiments/adjust_counts_note.py --setting small --seeds 5 --resume

500 genes, 1,000 cells, 2 batches, 5 factors; 5 random projections of the counts less their batch means, 32 strata, 3
neighbours, 100 iterations, all cells of one size, as in the note; effects as they come, not centred. Writes
results/adjust_counts_note.csv (one row per variant and seed) and results/adjust_counts_note.png.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from shared import RESULTS, run_missing

if TYPE_CHECKING:
    from anndata import AnnData

TABLE, FIGURE = RESULTS / "adjust_counts_note.csv", RESULTS / "adjust_counts_note.png"
KEYS = ("setting", "method", "seed")
NAIVE = "ratio of batch means"
METHODS = ("tied", "two_way", "note_code", "gamma_prior", NAIVE)
N_CELLS = {"small": 1000, "full": 10_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=N_CELLS, default="small")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [(arguments.setting, method, seed) for seed in range(arguments.seeds) for method in METHODS]
    table = run_missing(train, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    draw()
    print(table.groupby(["setting", "method"]).mean(numeric_only=True).drop(columns="seed").round(3).T.to_string())


def estimate(adata: AnnData, method: str, seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Log effects and log means of raw counts, genes by batches, and what is known of the way there."""
    from scpareto.pp._donors import find_donors
    from scpareto.pp._features import compute_features, scale_to_unit_length
    from scpareto.pp._multiplicative_model import VARIANTS
    from scpareto.pp._pseudobulk import compute_pseudobulk
    from scpareto.pp._strata import assign_strata

    batch = adata.obs["batch"].cat.codes.to_numpy().astype(np.int64)
    projected = adata.X @ np.random.default_rng(seed).standard_normal((adata.n_vars, 5))
    scores = compute_features(
        adata.X, batch, features="rp_resid", n_components=5, n_top_genes=adata.n_vars, control=None, seed=seed
    )
    unit = scale_to_unit_length(scores)
    stratum = assign_strata(scores, unit, strata="sign_hash", n_strata=None, seed=seed)
    donors = find_donors(unit, batch, n_neighbors=3, n_mutual=None, weights="softmax", approximate=None, seed=seed)
    sums, _ = compute_pseudobulk(adata.X, np.ones(adata.n_obs), batch, stratum, donors)
    log_means = np.log(sums.by_batch / np.bincount(batch))
    known = {
        "projection_batch_before": with_batch(projected, batch),
        "projection_batch_after": with_batch(scores, batch),
    }
    if method == NAIVE:
        return log_means - log_means.mean(axis=1, keepdims=True), log_means, known
    variant = VARIANTS[method]
    fit = variant.fit(sums, 1.0, variant.prior, 100, 0.0)
    steps = np.diff(fit.log_likelihood)
    known["likelihood_never_falls"] = float((steps >= -1e-9 * abs(fit.log_likelihood[-1])).all())
    return fit.log_effect, log_means, known


def with_batch(scores: np.ndarray, batch: np.ndarray) -> float:
    """Largest absolute correlation of a coordinate with a batch."""
    return max(abs(np.corrcoef(column, batch == b)[0, 1]) for column in scores.T for b in np.unique(batch))


def train(setting: str, method: str, seed: int) -> pd.DataFrame:
    """One variant on one toy."""
    import scpareto as sp

    adata = sp.datasets.simulate_multiplicative(N_CELLS[setting], 500, scenario="S0", seed=seed)
    effect, log_means, known = estimate(adata, method, seed)
    truth = adata.varm["batch_log_effect"].to_numpy()
    unbiased = np.log(adata.varm["unbiased_mean"].to_numpy())
    counts, batch = adata.X.toarray(), adata.obs["batch"].cat.codes.to_numpy()
    found, right = effect[:, 0] - effect[:, 1], truth[:, 0] - truth[:, 1]
    row = {
        "contrast_r": np.corrcoef(found, right)[0, 1],
        "contrast_slope": np.polyfit(right, found, 1)[0],
        "contrast_rmse": np.std(found - right),
        "effect_truth_r": by_batch(effect, truth),
        "effect_expression_r": by_batch(effect, unbiased),
        "mean_truth_r_before": by_batch(log_means, unbiased),
        "mean_truth_r_after": by_batch(log_means - effect, unbiased),
        "silhouette_batch_before": silhouette_of_batch(counts, batch),
        "silhouette_batch_after": silhouette_of_batch(counts / np.exp(effect).T[batch], batch),
        **known,
    }
    return pd.DataFrame([row]).assign(setting=setting, method=method, seed=seed)[[*KEYS, *row]]


def by_batch(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation over genes, mean over batches."""
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(first.T, second.T, strict=True)]))


def draw(seed: int = 0) -> None:
    """Contrast, effects against expression, means before and after, and t-SNE before and after, of one toy."""
    import matplotlib.pyplot as plt

    import scpareto as sp

    adata = sp.datasets.simulate_multiplicative(1000, 500, scenario="S0", seed=seed)
    effect, log_means, _ = estimate(adata, "tied", seed)
    truth = adata.varm["batch_log_effect"].to_numpy()
    unbiased = np.log(adata.varm["unbiased_mean"].to_numpy())
    batch = adata.obs["batch"].cat.codes.to_numpy()
    colours = np.array(["#0072B2", "#E69F00"])
    figure, axes = plt.subplots(2, 3, figsize=(10, 6.4), layout="constrained")
    contrast = truth[:, 0] - truth[:, 1], effect[:, 0] - effect[:, 1]
    scatter(axes[0, 0], *contrast, "0.25", "true contrast, log", "estimate", "Contrast of the two batches")
    for b in range(2):
        scatter(
            axes[0, 1], unbiased[:, b], effect[:, b], colours[b], "log unbiased mean", "estimated log effect",
            "Effects do not follow expression", line=False,
        )  # fmt: skip
    for values, colour, label in ((log_means, "0.6", "raw"), (log_means - effect, "#009E73", "adjusted")):
        r = by_batch(values, unbiased)
        axes[0, 2].scatter(
            unbiased.ravel(), values.ravel(), s=5, lw=0, alpha=0.6, color=colour, label=f"{label}, r = {r:.2f}"
        )
    axes[0, 2].set(xlabel="log unbiased mean", ylabel="log mean of counts")
    axes[0, 2].set_title("Means of genes in both batches", fontsize=10, loc="left")
    axes[0, 2].legend(frameon=False, fontsize=8, markerscale=2.5, handletextpad=0.1)
    counts = adata.X.toarray()
    adjusted = counts / np.exp(effect).T[batch]
    order = np.random.default_rng(0).permutation(adata.n_obs)
    for axis, values, title in ((axes[1, 0], counts, "t-SNE, raw"), (axes[1, 1], adjusted, "t-SNE, adjusted")):
        points = tsne(values)
        axis.scatter(*points[order].T, s=5, lw=0, color=colours[batch[order]])
        axis.set(xticks=[], yticks=[])
        axis.set_title(title, fontsize=10, loc="left")
    for b in range(2):
        axes[1, 0].scatter([], [], s=25, color=colours[b], label=f"batch {b}")
    axes[1, 0].legend(frameon=False, fontsize=8, handletextpad=0.1)
    factor = adata.obsm["factor_weights"].argmax(axis=1)
    palette = np.array(["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"])
    axes[1, 2].scatter(*points[order].T, s=5, lw=0, color=palette[factor[order]])
    axes[1, 2].set(xticks=[], yticks=[])
    axes[1, 2].set_title("the same, by largest factor", fontsize=10, loc="left")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURE, dpi=150)


def tsne(counts: np.ndarray) -> np.ndarray:
    """Of 50 principal components, the default of the note's implementation."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    return TSNE(random_state=0).fit_transform(PCA(50, random_state=0).fit_transform(np.log1p(counts)))


def silhouette_of_batch(counts: np.ndarray, batch: np.ndarray) -> float:
    """In ten principal components of log counts."""
    from sklearn.decomposition import PCA

    import scpareto as sp

    return sp.metrics.silhouette(PCA(10, random_state=0).fit_transform(np.log1p(counts)), batch)


def scatter(axis, x, y, colour, xlabel, ylabel, title, *, line=True) -> None:
    axis.scatter(x, y, s=5, lw=0, alpha=0.6, color=colour)
    if line:
        axis.axline((0, 0), slope=1, color="#D55E00", lw=1)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.set_title(title, fontsize=10, loc="left")


if __name__ == "__main__":
    main()
