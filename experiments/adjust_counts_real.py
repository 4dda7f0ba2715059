"""Adjusted counts of the same cells by several protocols or plates, beside other ways to correct.

Claims under test: after adjustment cells of a type mix across protocols, types stay apart, and means of a type agree
across protocols better than after log-normalisation alone. With types made unequal on purpose ("confounded"), effects
stay near those that true labels give, where the ratio of batch means does not.

    python experiments/adjust_counts_real.py --setting small --seeds 3 --resume

``celllines_3protocols``: three cell lines by 10x, CEL-seq2 and Drop-seq. ``cellmix_9cell``: mixtures of three lines on
four plates. "confounded" keeps 80 %, 40 % and 10 % of the three lines in one half of the batches and 10 %, 40 %
and 80 % in the other, a new draw for each seed; for the mixtures a line's share decides. Seeds change nothing else.

Silhouettes are of 20 principal components of log-normalised values (for MNN, by scranpy, of the corrected components);
that by batch is within types, lower is better. "mean_difference" is the root mean square difference over genes of a
type's mean log expression between two batches (not for Scanorama, which rescales cells), "mean_r" its correlation after
the mean of each gene over types is taken off within batches. "contrast_rmse" is of log effects against the log-linear
fit to true labels on all cells, for genes with 50 counts in every batch; it exists for the methods that estimate
effects. Writes results/adjust_counts_real.csv and results/adjust_counts_real.png.
"""

from __future__ import annotations

import argparse
import warnings
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from shared import RESULTS, data_folder, run_missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

TABLE, FIGURE = RESULTS / "adjust_counts_real.csv", RESULTS / "adjust_counts_real.png"
KEYS = ("setting", "dataset", "method", "seed")
FILES = ("celllines_3protocols", "cellmix_9cell")
DATASETS = (*FILES, *(f"{name}, confounded" for name in FILES))
SETTINGS = {"small": 2000, "full": 20_000}
MIN_CELLS, MIN_COUNTS = 5, 50
NAIVE = "ratio of batch means"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [
        (arguments.setting, dataset, method, seed)
        for dataset in DATASETS
        for seed in range(arguments.seeds if "confounded" in dataset else 1)
        for method in METHODS
    ]
    table = run_missing(train, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    draw(table)
    print(
        table.groupby(["setting", "dataset", "method"])
        .mean(numeric_only=True)
        .drop(columns="seed")
        .round(3)
        .to_string()
    )


def load(dataset: str, n_genes: int, seed: int) -> tuple[AnnData, AnnData]:
    """Cells to correct, and all cells; the genes that vary most within batches."""
    import anndata
    import scanpy as sc

    adata = anndata.read_h5ad(data_folder() / f"{dataset.split(',')[0]}.h5ad")
    adata.obs["batch"] = adata.obs["batch"].astype("category")
    lines = [c for c in adata.obs if c.startswith("n_") and c not in ("n_genes", "n_counts")]
    if len(lines) >= 3:
        # 35 compositions are too many for 1,107 cells: the line with the largest share is the type.
        amount = adata.obs[lines[:3]].to_numpy(dtype=float)
        even = (amount == amount.max(axis=1, keepdims=True)).sum(axis=1) > 1
        names = np.array([line.removeprefix("n_") for line in lines[:3]])[amount.argmax(axis=1)]
        adata.obs["type"] = pd.Categorical(np.where(even, "even", names))
    else:
        adata.obs["type"] = adata.obs["cell_type"].astype(str).astype("category")
    normalised = sc.pp.normalize_total(adata, target_sum=1e4, copy=True)
    sc.pp.log1p(normalised)
    if adata.n_vars > n_genes:
        sc.pp.highly_variable_genes(normalised, n_top_genes=n_genes, batch_key="batch")
        adata = adata[:, normalised.var["highly_variable"].to_numpy()].copy()
    adata = adata[np.asarray(adata.X.sum(axis=1)).ravel() > 0].copy()
    if "confounded" not in dataset:
        return adata, adata
    kept = np.array([0.8, 0.4, 0.1])
    main_types = [t for t in adata.obs["type"].cat.categories if t != "even"]
    rank = (
        adata.obs["type"].astype(str).map({name: i for i, name in enumerate(main_types)}).fillna(1).to_numpy(dtype=int)
    )
    later = adata.obs["batch"].cat.codes.to_numpy() >= adata.obs["batch"].nunique() / 2
    keep = np.random.default_rng(seed).random(adata.n_obs) < np.where(later, kept[::-1][rank], kept[rank])
    return adata[keep].copy(), adata


def log_normalised(counts: Any) -> np.ndarray:
    from scipy import sparse

    dense = np.asarray(counts.toarray() if sparse.issparse(counts) else counts, dtype=float)
    return np.log1p(1e4 * dense / dense.sum(axis=1, keepdims=True))


def components(values: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA

    return PCA(20, random_state=0).fit_transform(values)


Outcome = tuple["np.ndarray | None", "np.ndarray | None", "np.ndarray | None"]


def none(adata: AnnData) -> Outcome:
    return log_normalised(adata.X), None, None


def ratio(adata: AnnData) -> Outcome:
    """Effects from ratios of batch means at equal depth."""
    from scipy import sparse

    size = np.asarray(adata.X.sum(axis=1)).ravel()
    level = sparse.diags(np.median(size) / size) @ adata.X
    codes = adata.obs["batch"].cat.codes.to_numpy()
    means = np.stack([np.asarray(level[codes == b].mean(axis=0)).ravel() for b in range(codes.max() + 1)], axis=1)
    log_effect = np.log(np.maximum(means, 1e-6))
    log_effect -= log_effect.mean(axis=1, keepdims=True)
    return log_normalised(adata.X.toarray() / np.exp(log_effect).T[codes]), None, log_effect


def adjusted(variant: str) -> Callable[[AnnData], Outcome]:
    def correct(adata: AnnData) -> Outcome:
        import scpareto as sp

        sp.pp.adjust_counts(adata, variant=variant)
        return log_normalised(adata.layers["adjusted"]), None, np.log(adata.varm["batch_effect"].to_numpy())

    return correct


def combat(adata: AnnData) -> Outcome:
    import scanpy as sc
    from anndata import AnnData

    logged = AnnData(log_normalised(adata.X), obs=adata.obs[["batch"]].copy())
    sc.pp.combat(logged, key="batch")
    return np.asarray(logged.X), None, None


def scanorama_values(adata: AnnData) -> Outcome:
    """Values of genes moved by mutual neighbours."""
    import scanorama

    values, batch = log_normalised(adata.X), adata.obs["batch"].to_numpy()
    parts = [values[batch == b] for b in adata.obs["batch"].cat.categories]
    genes = [list(adata.var_names)] * len(parts)
    moved, order = scanorama.correct(parts, genes, verbose=False, seed=0)
    out = np.empty_like(values)
    back = pd.Index(order).get_indexer(adata.var_names)
    for b, part in zip(adata.obs["batch"].cat.categories, moved, strict=True):
        out[batch == b] = part.toarray()[:, back]
    return out, None, None


def mnn_components(adata: AnnData) -> Outcome:
    """Principal components moved by mutual neighbours: no values of genes to compare."""
    import scranpy

    found = scranpy.correct_mnn(components(log_normalised(adata.X)).T, adata.obs["batch"].to_numpy().astype(str))
    return None, np.asarray(found["corrected"]).T, None


METHODS: dict[str, Callable[[AnnData], Outcome]] = {
    "log-normalised": none,
    NAIVE: ratio,
    "tied": adjusted("tied"),
    "two_way": adjusted("two_way"),
    "note_code": adjusted("note_code"),
    "gamma_prior": adjusted("gamma_prior"),
    "ComBat": combat,
    "Scanorama, values": scanorama_values,
    "MNN, components": mnn_components,
}
# Cells are scaled to length one on the way: differences of values say nothing beside the others.
OTHER_SCALE = ("Scanorama, values",)


def train(setting: str, dataset: str, method: str, seed: int) -> pd.DataFrame:
    """One method on one data set."""
    import scpareto as sp

    adata, everything = load(dataset, SETTINGS[setting], seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values, codes, log_effect = METHODS[method](adata)
    codes = components(values) if codes is None else codes
    kind, batch = (adata.obs[key].to_numpy().astype(str) for key in ("type", "batch"))
    within = [
        sp.metrics.silhouette(codes[kind == k], batch[kind == k])
        for k in np.unique(kind)
        if (pd.Series(batch[kind == k]).value_counts() >= MIN_CELLS).sum() > 1
    ]
    difference, r = agreement(values, kind, batch) if values is not None else (np.nan, np.nan)
    if method in OTHER_SCALE:
        difference = np.nan
    row = {
        "silhouette_batch": float(np.mean(within)),
        "silhouette_type": sp.metrics.silhouette(codes, kind),
        "mean_difference": difference,
        "mean_r": r,
        "contrast_rmse": np.nan if log_effect is None else contrast_error(log_effect, everything),
    }
    return pd.DataFrame([{"setting": setting, "dataset": dataset, "method": method, "seed": seed, **row}])


def agreement(values: np.ndarray, kind: np.ndarray, batch: np.ndarray) -> tuple[float, float]:
    """Root mean square difference of a type's means between two batches, and correlation of their differences."""
    group = pd.Series(kind) + "|" + pd.Series(batch)
    means = (
        pd.DataFrame(values).groupby(group.to_numpy()).mean()[group.value_counts().sort_index().to_numpy() >= MIN_CELLS]
    )
    means.index = pd.MultiIndex.from_tuples([tuple(name.rsplit("|", 1)) for name in means.index])
    differences, correlations = [], []
    for first, second in combinations(np.unique(batch), 2):
        a, b = (means[means.index.get_level_values(1) == name].droplevel(1) for name in (first, second))
        shared = a.index.intersection(b.index)
        if len(shared) < 2:
            continue
        a, b = a.loc[shared], b.loc[shared]
        differences.append(np.sqrt(((a - b) ** 2).to_numpy().mean()))
        correlations.append(np.corrcoef((a - a.mean()).to_numpy().ravel(), (b - b.mean()).to_numpy().ravel())[0, 1])
    return float(np.mean(differences)), float(np.mean(correlations))


def contrast_error(log_effect: np.ndarray, everything: AnnData) -> float:
    """Against the log-linear model of true types and batches on all cells, by Poisson likelihood."""
    size = np.asarray(everything.X.sum(axis=1)).ravel()
    kind, batch = (everything.obs[key].cat.codes.to_numpy() for key in ("type", "batch"))
    group = np.zeros((kind.max() + 1, batch.max() + 1, everything.n_vars))
    exposure = np.zeros(group.shape[:2])
    for t, b in np.ndindex(*exposure.shape):
        cells = (kind == t) & (batch == b)
        group[t, b] = np.asarray(everything.X[cells].sum(axis=0)).ravel()
        exposure[t, b] = size[cells].sum()
    oracle = np.ones((batch.max() + 1, everything.n_vars))
    for _ in range(200):
        level = group.sum(axis=1) / (exposure @ oracle)
        oracle = np.maximum(group.sum(axis=0) / np.maximum(exposure.T @ level, 1e-12), 1e-12)
    enough = (group.sum(axis=0) >= MIN_COUNTS).all(axis=0)
    first, second = np.triu_indices(len(oracle), 1)
    truth = (np.log(oracle[first]) - np.log(oracle[second]))[:, enough]
    found = (log_effect[:, first] - log_effect[:, second]).T[:, enough]
    error = found - truth
    return float(np.sqrt(((error - error.mean(axis=1, keepdims=True)) ** 2).mean()))


def draw(table: pd.DataFrame) -> None:
    """Silhouettes and agreement of means by method, one row of panels for each data set."""
    import matplotlib.pyplot as plt

    columns = {
        "silhouette_batch": "silhouette by batch\nwithin types (low is good)",
        "silhouette_type": "silhouette by type\n(high is good)",
        "mean_difference": "difference of a type's means\nbetween batches (low is good)",
        "mean_r": "agreement of type contrasts\nbetween batches, r (high is good)",
        "contrast_rmse": "error of log effects against\nthose of true labels (low is good)",
    }
    rows = table[table["setting"] == "small"]
    figure, axes = plt.subplots(
        len(DATASETS), len(columns), figsize=(13, 9.5), sharey=True, sharex="col", layout="constrained"
    )
    names = list(METHODS)[::-1]
    for row, dataset in zip(axes, DATASETS, strict=True):
        some = rows[rows["dataset"] == dataset]
        for axis, (column, title) in zip(row, columns.items(), strict=True):
            for y, name in enumerate(names):
                values = some.loc[some["method"] == name, column].dropna()
                colour = "#0072B2" if name == "tied" else "#E69F00" if name in ("log-normalised", NAIVE) else "0.55"
                axis.scatter(values, np.full(len(values), y), s=18, color=colour, lw=0)
                if len(values):
                    axis.plot([values.mean()] * 2, [y - 0.3, y + 0.3], color=colour, lw=2)
            axis.set_yticks(range(len(names)), names, fontsize=8.5)
            axis.tick_params(axis="x", labelsize=8)
            axis.grid(axis="y", color="0.93", lw=0.8)
            axis.set_axisbelow(True)
            axis.spines[["top", "right"]].set_visible(False)
            if dataset == list(DATASETS)[-1]:
                axis.set_xlabel(title, fontsize=9)
        row[0].set_title(dataset, fontsize=10, loc="left")
    figure.savefig(FIGURE, dpi=130)


if __name__ == "__main__":
    main()
