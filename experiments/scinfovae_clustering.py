"""Does ScInfoVAE find annotated types, beside strong and simple ways to do so?

Claims of the paper under test: best or second-best clusters among methods of the field; InfoVAE better than the plain
VAE; little variation over seeds. Every method is told the true number of clusters.

    python experiments/scinfovae_clustering.py --setting small --jobs 1 --resume

The small setting has shorter trainings. worm_neuron is the set on which the defaults were found
(scinfovae_tuning.py); nothing is tuned on the others. Scores of `held_out` cells are those of the tenth of the cells
that no step of a network has seen. Silhouette and Calinski-Harabasz index of the method's clusters are given in its own
space, as published, and in one of 50 principal components for all methods.
Writes results/scinfovae_clustering.csv (one row per data set, method and seed), results/scinfovae_summary.csv (mean and
coefficient of variation, ranks), results/points/scinfovae_codes/*.npz (not committed) and
results/scinfovae_clustering.png.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from shared import RESULTS, data_folder, run_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anndata import AnnData

TABLE, SUMMARY = RESULTS / "scinfovae_clustering.csv", RESULTS / "scinfovae_summary.csv"
FIGURE, CODES = RESULTS / "scinfovae_clustering.png", RESULTS / "points" / "scinfovae_codes"
KEYS = ("setting", "dataset", "family", "seed")
DATASETS = ("worm_neuron", "mouse_bladder_2100", "pbmc_facs", "paul15_myeloid")
TUNING_SET = "worm_neuron"
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {"seeds": 3, "pretrain": 100, "finetune": 15, "patience": 12, "scvi": 100},
    "full": {"seeds": 5, "pretrain": 600, "finetune": 500, "patience": 30, "scvi": 400},
}
METHODS = {
    "ScInfoVAE": "ScInfoVAE",
    "ScInfoVAE, SP": "... spectral",
    "ScInfoVAE, RSC": "... robust spectral",
    "ScInfoVAE, before": "... before fine-tuning",
    "VAE": "plain VAE (ablation)",
    "scVI": "scVI + K-means",
    "DESC": "DESC + K-means",
    "scDeepCluster": "scDeepCluster + K-means",
    "scziDesk": "scziDesk + K-means",
    "PCA": "PCA(50) + K-means",
    "UMAP": "PCA(50) + UMAP + K-means",
}
RANKED = ("ScInfoVAE", "VAE", "scVI", "DESC", "scDeepCluster", "scziDesk", "PCA", "UMAP")
"""Methods of which one is best on a set; the others are variants of the first."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, help="3 in the small setting, 5 in the full")
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    n_seeds = arguments.seeds or SETTINGS[arguments.setting]["seeds"]
    runs = [
        (arguments.setting, dataset, family, seed)
        for seed in range(n_seeds)
        for family in arguments.families
        for dataset in DATASETS
    ]
    rows = run_missing(run, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    summary = summarise(rows)
    summary.to_csv(SUMMARY, index=False, float_format="%.4g")
    draw(rows)
    print(summary.to_string(index=False))


@dataclass(frozen=True)
class Case:
    """One data set, as every method gets it."""

    dataset: str
    adata: AnnData
    labels: pd.Series
    common: np.ndarray
    variable: np.ndarray
    options: dict[str, Any]
    seed: int

    @property
    def n_clusters(self) -> int:
        return self.labels.nunique()


@dataclass(frozen=True)
class Found:
    """Clusters of a method, the codes they were found in, and the cells, of which some may be held out."""

    method: str
    codes: np.ndarray
    clusters: Any
    cells: pd.Index
    held_out: np.ndarray | None = None


def run(setting: str, dataset: str, family: str, seed: int) -> pd.DataFrame:
    """Rows of the methods of one family."""
    import scanpy as sc
    import torch

    adata = sc.read_h5ad(data_folder() / f"{dataset}.h5ad")
    labels = adata.obs["cell_type"].astype(str)
    common, variable = baseline_space(adata)
    # numba in the line above has raised the number of threads that torch shares.
    torch.set_num_threads(1)
    case = Case(dataset, adata, labels, common, variable, SETTINGS[setting], seed)
    found_rows = []
    for found in FAMILIES[family](case):
        truth, space = labels.loc[found.cells].to_numpy(), common[adata.obs_names.get_indexer(found.cells)]
        keys = {"setting": setting, "dataset": dataset, "method": found.method, "family": family, "seed": seed}
        found_rows.append(keys | scores(found, truth, space))
    return pd.DataFrame(found_rows)


def baseline_space(adata: AnnData) -> tuple[np.ndarray, np.ndarray]:
    """Fifty principal components of 2,000 log-normalised variable genes, and which genes these are."""
    import scanpy as sc

    normalised = adata.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    sc.pp.highly_variable_genes(normalised, n_top_genes=2000)
    variable = normalised.var["highly_variable"].to_numpy()
    normalised = normalised[:, variable].copy()
    sc.pp.pca(normalised, n_comps=50, random_state=0)
    return normalised.obsm["X_pca"], variable


def scores(found: Found, truth: np.ndarray, common: np.ndarray) -> dict[str, float]:
    """Agreement with the labels, and compactness in both spaces."""
    from sklearn.metrics import (
        adjusted_rand_score,
        calinski_harabasz_score,
        normalized_mutual_info_score,
        silhouette_score,
    )

    from scpareto.metrics import unsupervised_clustering_accuracy

    clusters, held_out = np.asarray(found.clusters).astype(str), found.held_out
    row = {
        "ari": adjusted_rand_score(truth, clusters),
        "nmi": normalized_mutual_info_score(truth, clusters),
        "accuracy": unsupervised_clustering_accuracy(truth, clusters),
        "ari_held_out": np.nan if held_out is None else adjusted_rand_score(truth[held_out], clusters[held_out]),
    }
    for name, space in (("own", found.codes), ("common", common)):
        row[f"silhouette_{name}"] = silhouette_score(space, clusters, sample_size=min(2000, len(space)), random_state=0)
        row[f"calinski_harabasz_{name}"] = calinski_harabasz_score(space, clusters)
    return row


def trained(case: Case, **changes: Any) -> tuple[Any, pd.Index]:
    """Return a trained ScInfoVAE and its cells."""
    import torch

    import scpareto as sp

    cells = sp.pp.prepare_scinfovae(case.adata)
    torch.set_num_threads(1)
    sp.model.ScInfoVAE.setup_anndata(cells)
    model = sp.model.ScInfoVAE(cells, n_clusters=case.n_clusters, seed=case.seed, **changes)
    options = case.options
    model.train(
        options["pretrain"],
        options["finetune"],
        patience=options["patience"],
        progress=False,
        accelerator="cpu",
    )
    return model, cells.obs_names


def of_scinfovae(case: Case) -> Iterator[Found]:
    """The method, two other final clusterings, and the codes for the pictures."""
    model, cells = trained(case)
    codes, held_out = model.get_latent_representation(), model.validation_indices_
    yield Found("ScInfoVAE", codes, model.predict(), cells, held_out)
    yield Found("ScInfoVAE, before", codes, model.pretrained_clusters_, cells, held_out)
    for method, name in (("spectral", "ScInfoVAE, SP"), ("robust_spectral", "ScInfoVAE, RSC")):
        yield Found(name, codes, model.predict(method=method), cells, held_out)
    if case.seed == 0:
        CODES.mkdir(parents=True, exist_ok=True)
        labels, clusters = case.labels.loc[cells].to_numpy(str), np.asarray(model.predict()).astype(str)
        np.savez_compressed(CODES / f"{case.dataset}.npz", codes=codes, labels=labels, clusters=clusters)


def of_vae(case: Case) -> Iterator[Found]:
    """The ablation: same network, noise and seeds, with the evidence lower bound."""
    model, cells = trained(case, alpha=0.0, lambda_=1.0)
    yield Found("VAE", model.get_latent_representation(), model.predict(), cells, model.validation_indices_)


def of_scvi(case: Case) -> Iterator[Found]:
    """Codes of scVI on 2,000 variable genes."""
    import scvi

    from scpareto._runtime import quiet_lightning
    from scpareto.metrics import cluster_codes

    cells = case.adata[:, case.variable].copy()
    cells = cells[np.asarray(cells.X.sum(axis=1)).ravel() > 0].copy()
    scvi.settings.seed = case.seed
    scvi.model.SCVI.setup_anndata(cells)
    model = scvi.model.SCVI(cells)
    epochs = case.options["scvi"]
    with quiet_lightning():
        model.train(
            epochs,
            accelerator="cpu",
            devices=1,
            enable_progress_bar=False,
            plan_kwargs={"n_epochs_kl_warmup": epochs // 2},
        )
    codes = model.get_latent_representation()
    yield Found("scVI", codes, cluster_codes(codes, "kmeans", case.n_clusters, seed=case.seed), cells.obs_names)


def of_components(case: Case) -> Iterator[Found]:
    """Principal components, and UMAP of them."""
    import umap

    from scpareto.metrics import cluster_codes

    embedded = umap.UMAP(random_state=case.seed).fit_transform(case.common)
    for method, codes in (("PCA", case.common), ("UMAP", embedded)):
        clusters = cluster_codes(codes, "kmeans", case.n_clusters, seed=case.seed)
        yield Found(method, codes, clusters, case.adata.obs_names)


def of_relatives(case: Case) -> Iterator[Found]:
    """Published deep clustering methods on 2,000 variable genes; their codes are clustered like those of the others."""
    import scpareto as sp

    cells = case.adata[:, case.variable].copy()
    cells = cells[np.asarray(cells.X.sum(axis=1)).ravel() > 0].copy()
    epochs = {"max_epochs": case.options["pretrain"], "max_epochs_clusters": case.options["finetune"]}
    told = {"n_clusters": case.n_clusters}
    for method, name, options in (
        ("desc", "DESC", {}),
        ("scdeepcluster", "scDeepCluster", told),
        # The published learning rate needs ten times as many epochs.
        ("sczidesk", "scziDesk", told | {"lr": 1e-3}),
    ):
        sp.bench.integrate(cells, method, seed=case.seed, **epochs, **options)
        codes = cells.obsm[f"X_{method}"]
        clusters = sp.metrics.cluster_codes(codes, "kmeans", case.n_clusters, seed=case.seed)
        yield Found(name, codes, clusters, cells.obs_names)


FAMILIES: dict[str, Callable[[Case], Iterator[Found]]] = {
    "components": of_components,
    "scinfovae": of_scinfovae,
    "vae": of_vae,
    "scvi": of_scvi,
    "relatives": of_relatives,
}


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean of every method on every set, variation over seeds and rank; and over sets, the one of the tuning apart."""
    grouped = rows.groupby(["setting", "dataset", "method"], sort=False)
    table = grouped[["ari", "nmi", "accuracy"]].mean()
    table["ari_cv"] = grouped["ari"].std(ddof=1) / grouped["ari"].mean()
    table["seeds"] = grouped["seed"].nunique()
    table = table.reset_index()
    ranked = table["method"].isin(RANKED)
    table["rank"] = table[ranked].groupby(["setting", "dataset"])["ari"].rank(ascending=False)
    overall = table[table["dataset"] != TUNING_SET].groupby(["setting", "method"], sort=False)
    means = overall[["ari", "nmi", "accuracy", "ari_cv", "rank"]].mean().reset_index()
    return pd.concat([table, means.assign(dataset="mean of the sets that nothing was tuned on")], ignore_index=True)


def draw(rows: pd.DataFrame) -> None:
    """Adjusted Rand index of every method on every set, seeds as points, means as bars."""
    import matplotlib.pyplot as plt

    from scpareto.pl._palette import PALETTE
    from scpareto.pl._style import COLUMN_WIDTH, INK, LABEL_SIZE, MUTED, tidy

    shown = [method for method in METHODS if method in set(rows["method"])]
    figure, axes = plt.subplots(
        1, len(DATASETS), figsize=(2 * COLUMN_WIDTH, 0.2 * len(shown) + 0.85), sharey=True, layout="constrained"
    )
    for axis, dataset in zip(axes, DATASETS, strict=True):
        for y, method in enumerate(shown):
            values = rows.loc[(rows["dataset"] == dataset) & (rows["method"] == method), "ari"]
            own = method.startswith("ScInfoVAE")
            axis.barh(y, values.mean(), height=0.7, color=PALETTE[0] if own else MUTED, alpha=0.85 if own else 0.5)
            axis.plot(values, [y] * len(values), "o", ms=2.2, color=INK)
        axis.set_title(dataset + ("\n(tuning set)" if dataset == TUNING_SET else ""), fontsize=LABEL_SIZE)
        axis.set_xlabel("adjusted Rand index", fontsize=LABEL_SIZE)
        tidy(axis)
    axes[0].set_yticks(range(len(shown)), [METHODS[method] for method in shown])
    axes[0].set_ylim(len(shown) - 0.4, -0.6)
    figure.savefig(FIGURE, dpi=200)


if __name__ == "__main__":
    main()
