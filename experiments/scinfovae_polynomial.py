"""Does an InfoVAE keep neighbours and the global layout of points in the plane seen through nine features?

Claims of the paper under test: more neighbours kept than by t-SNE, and the same global layout in every run. The bar
here is PCA and UMAP. No clustering term, a Gaussian likelihood (the features are signed), two latent dimensions. Its
weights were chosen on these very points, seed 0; those that are the default for counts are shown beside.

    python experiments/scinfovae_polynomial.py --setting small --jobs 1 --resume

Neighbours kept are those in the nine features, for 100 to 1,500 of them. The layout is compared by Spearman's
correlation of the distances between the centroids of the six clusters: with the plane, and between seeds. Models fitted
to 25 and 50 % of the points embed the others. Writes results/scinfovae_polynomial.csv (one row per method and seed) and
results/scinfovae_polynomial.png.
"""

from __future__ import annotations

import argparse
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from shared import RESULTS, run_missing

if TYPE_CHECKING:
    from anndata import AnnData

TABLE, FIGURE = RESULTS / "scinfovae_polynomial.csv", RESULTS / "scinfovae_polynomial.png"
PICTURE = RESULTS / "points" / "polynomial_codes"
KEYS = ("setting", "dataset", "method", "seed")
NEIGHBOURS = (100, 200, 300, 500, 800, 1000, 1200, 1500)
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {"epochs": 50, "patience": 30, "of_variants": 2},
    "full": {"epochs": 600, "patience": 50, "of_variants": 10},
}
METHODS = (
    *("InfoVAE", "PCA", "UMAP", "t-SNE"),
    *("InfoVAE, 50 %", "InfoVAE, 25 %", "InfoVAE, lambda 100", "t-SNE, random start"),
)
VARIANTS = METHODS[4:]
"""Run with fewer seeds in the small setting."""
FRACTIONS = {"InfoVAE, 50 %": 0.5, "InfoVAE, 25 %": 0.25}
WEAK, STRONG = {"alpha": 0.99, "lambda_": 0.1}, {"alpha": 0.9, "lambda_": 100.0}
"""Weights: weak ones, because a Gaussian prior is the wrong shape for these points, and the defaults for counts."""
OPTIONS: dict[str, Any] = {
    "n_latent": 2,
    "n_hidden": [64, 64],
    "gene_likelihood": "normal",
    "input_noise": 0.0,
    "use_batch_norm": "none",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [
        (arguments.setting, "simulate_polynomial", method, seed)
        for seed in range(arguments.seeds)
        for method in METHODS
        if method not in VARIANTS or seed < SETTINGS[arguments.setting]["of_variants"]
    ]
    rows = run_missing(run, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    rows = with_agreement(rows)
    rows.to_csv(TABLE, index=False, float_format="%.6g")
    draw(rows)
    columns = ["kept_100", "kept_500", "kept_1500", "layout_truth", "layout_seeds"]
    print(rows.groupby("method", sort=False)[columns].mean().to_string())


def run(setting: str, dataset: str, method: str, seed: int) -> pd.DataFrame:
    """One embedding; the points are the same for all seeds, so that layouts can be compared."""
    import torch

    import scpareto as sp

    adata = sp.datasets.simulate_polynomial(seed=0)
    torch.set_num_threads(1)
    codes, spread = embed(adata, method, seed, SETTINGS[setting])
    if seed == 0:
        PICTURE.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(PICTURE / f"{method.replace(' ', '_')}.npz", codes=codes, spread=spread)
    kept = sp.metrics.neighbor_preservation(adata.X, codes, NEIGHBOURS)
    clusters = adata.obs["cluster"].astype(str).to_numpy()
    distances, truth = between_centroids(codes, clusters), between_centroids(adata.obsm["X_true"], clusters)
    row: dict[str, Any] = {"setting": setting, "dataset": dataset, "method": method, "seed": seed}
    row |= {f"kept_{k}": value for k, value in zip(NEIGHBOURS, kept, strict=True)}
    row["layout_truth"] = spearman(distances, truth)
    row |= {f"distance_{i}": value for i, value in enumerate(distances / distances.max())}
    return pd.DataFrame([row])


def embed(adata: AnnData, method: str, seed: int, options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Two dimensions of every point, and the spread of its posterior (0 where there is none)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    none = np.zeros(adata.n_obs)
    if method == "PCA":
        return PCA(2, random_state=seed).fit_transform(adata.X), none
    if method == "UMAP":
        import umap

        return umap.UMAP(random_state=seed).fit_transform(adata.X), none
    if method.startswith("t-SNE"):
        start = "random" if "random" in method else "pca"
        return TSNE(random_state=seed, init=start).fit_transform(adata.X), none
    import scpareto as sp

    rows = np.random.default_rng(seed).permutation(adata.n_obs)[: int(FRACTIONS.get(method, 1.0) * adata.n_obs)]
    fitted = adata[np.sort(rows)].copy()
    sp.model.ScInfoVAE.setup_anndata(fitted)
    model = sp.model.ScInfoVAE(fitted, n_clusters=2, seed=seed, **OPTIONS, **(STRONG if "100" in method else WEAK))
    model.train(options["epochs"], 0, batch_size=128, patience=options["patience"], progress=False, accelerator="cpu")
    means, variances = model.get_latent_representation(adata, return_dist=True)
    return means, np.sqrt(variances).mean(axis=1)


def between_centroids(codes: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Distances between the centroids of the six clusters, shape ``(15,)``."""
    names = sorted(set(clusters) - {"outlier"})
    centroids = np.array([codes[clusters == name].mean(axis=0) for name in names])
    return np.array([np.linalg.norm(a - b) for a, b in combinations(centroids, 2)])


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def with_agreement(rows: pd.DataFrame) -> pd.DataFrame:
    """Add each run's mean agreement of centroid distances with those of the other seeds."""
    rows = rows.copy()
    distances = [name for name in rows if name.startswith("distance_")]
    rows["layout_seeds"] = np.nan
    for _, group in rows.groupby(["setting", "method"]):
        values = group[distances].to_numpy()
        for i, index in enumerate(group.index):
            others = [spearman(values[i], values[j]) for j in range(len(values)) if j != i]
            rows.loc[index, "layout_seeds"] = np.mean(others) if others else np.nan
    return rows


def draw(rows: pd.DataFrame) -> None:
    """Neighbours kept, layouts, and the codes with their density and uncertainty."""
    import matplotlib.pyplot as plt

    import scpareto as sp
    from scpareto.pl._palette import PALETTE, category_colors
    from scpareto.pl._style import COLUMN_WIDTH, INK, LABEL_SIZE, NOTE_SIZE, TICK_SIZE, tidy

    figure = plt.figure(figsize=(2 * COLUMN_WIDTH, 4.3), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.1, 1])
    left, right = top.subplots(1, 2, width_ratios=[1.25, 1])
    columns = [f"kept_{k}" for k in NEIGHBOURS]
    looks = {
        "InfoVAE": (PALETTE[0], "o-"),
        "InfoVAE, 50 %": (PALETTE[0], "s--"),
        "InfoVAE, 25 %": (PALETTE[0], "^:"),
        "InfoVAE, lambda 100": (PALETTE[5], "o-"),
        "PCA": (INK, "D-"),
        "UMAP": (PALETTE[2], "v-"),
        "t-SNE": (PALETTE[3], "p-"),
        "t-SNE, random start": (PALETTE[3], "h--"),
    }
    for method, (colour, style) in looks.items():
        some = rows[rows["method"] == method]
        if len(some):
            mean, sd = some[columns].mean(), some[columns].std(ddof=1)
            left.errorbar(NEIGHBOURS, mean, sd, fmt=style, color=colour, ms=3, lw=1, capsize=1.5, label=method)
    n = 2200
    left.plot(NEIGHBOURS, [k / (n - 1) for k in NEIGHBOURS], color=INK, lw=0.6, ls=(0, (1, 2)), label="chance")
    left.set_xlabel("neighbours", fontsize=LABEL_SIZE)
    left.set_ylabel("share kept", fontsize=LABEL_SIZE)
    left.legend(facecolor="white", edgecolor="none", framealpha=1, fontsize=NOTE_SIZE, ncols=2, loc="lower right")
    shown = [method for method in looks if method in set(rows["method"])]
    for y, method in enumerate(shown):
        some = rows[rows["method"] == method]
        right.plot(some["layout_truth"], np.full(len(some), y - 0.13), "o", ms=3, color=PALETTE[0], alpha=0.7)
        right.plot(some["layout_seeds"], np.full(len(some), y + 0.13), "s", ms=3, color=PALETTE[1], alpha=0.7)
    right.plot([], [], "o", ms=3, color=PALETTE[0], label="with the plane")
    right.plot([], [], "s", ms=3, color=PALETTE[1], label="between seeds")
    right.set_yticks(range(len(shown)), shown)
    right.set_ylim(len(shown) - 0.4, -0.6)
    right.set_xlabel("agreement of centroid distances", fontsize=LABEL_SIZE)
    right.legend(frameon=False, fontsize=NOTE_SIZE, loc="upper left")
    adata = sp.datasets.simulate_polynomial(seed=0)
    clusters = adata.obs["cluster"]
    palette = category_colors(list(clusters.cat.categories[:-1])) | {"outlier": "#BBBBBB"}
    colours = [palette[name] for name in clusters]
    planes = bottom.subplots(1, 4)
    codes = np.load(PICTURE / "InfoVAE.npz")
    for axis, (title, plane) in zip(
        planes[:2], (("the plane", adata.obsm["X_true"]), ("InfoVAE codes", codes["codes"])), strict=True
    ):
        axis.scatter(*plane.T, c=colours, s=2, lw=0)
        axis.set_title(title, fontsize=LABEL_SIZE)
    planes[2].hexbin(*codes["codes"].T, gridsize=35, bins="log", cmap="viridis", mincnt=1, lw=0.1)
    planes[2].set_title("density of the codes", fontsize=LABEL_SIZE)
    order = np.argsort(codes["spread"])
    points = planes[3].scatter(*codes["codes"][order].T, c=codes["spread"][order], s=2, lw=0, cmap="cividis")
    planes[3].set_title("uncertainty of a code", fontsize=LABEL_SIZE)
    bar = figure.colorbar(points, ax=planes[3], shrink=0.8)
    bar.ax.tick_params(labelsize=TICK_SIZE)
    bar.set_label("posterior sd", fontsize=NOTE_SIZE)
    for axis in planes:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for axis in (left, right):
        tidy(axis)
    figure.savefig(FIGURE, dpi=200)


if __name__ == "__main__":
    main()
