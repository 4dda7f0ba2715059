"""Marginal against conditional information as objective, where batches differ in composition and one has its own type.

Claim under test: at equal mixing of the shared types, a front learnt with conditional information (clusters of the
shared start's codes, ``given="corrected"``) keeps at least 90 % of the neighbourhood purity that the type of one batch
has in the uncorrected point of the front.

    python experiments/conditional_information.py --setting small --seeds 3 --jobs 2 --resume

Every front has the classifier bound as objective: marginal, or given clusters of the start's codes (10 or 20), of
uncorrected principal components, of such components less their mean in each batch, or the true types as an oracle.
Purity is the mean share of the unique type among the 15 nearest neighbours of its cells. Mixing is judged with the true
types, so that neither merged types nor unequal composition count: entropy of the batches, relative to their
proportions, among the 15 nearest neighbours of the same type, a mean over the cells of shared types; and what a fresh
classifier finds on test cells about the batch beyond the type. Neighbours are those of the posterior means of all
cells, since a fifth of them holds too few of a type. The information of a point in clusters, by a fresh critic on test
cells, and its leakage are columns of the points.

Writes results/points/conditional_information.csv (one row per point), results/conditional_information.csv (one per
objective, seed and measure of mixing) and results/conditional_information.png.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from shared import RESULTS, run_missing

if TYPE_CHECKING:
    from anndata import AnnData

POINTS = RESULTS / "points" / "conditional_information.csv"
SUMMARY, FIGURE = RESULTS / "conditional_information.csv", RESULTS / "conditional_information.png"
KEYS = ("setting", "objective", "seed")
MARGINAL = "marginal"
OBJECTIVES: dict[str, dict[str, Any]] = {
    MARGINAL: {},
    "corrected": {"given": "corrected"},
    "corrected, 20 clusters": {"given": "corrected", "n_clusters": 20},
    "pca": {"given": "pca"},
    "pca, centred": {"given": "centred"},
    "true types": {"given": "cell_type"},
}
AIM, N_NEIGHBORS, SMALLEST_BATCH = 0.9, 15, 10
N_CLUSTERS, N_COMPONENTS = 10, 10
# Nats of information against nats of generative loss. They are not standardised, so that equal weights are equal in
# all fronts; and the rate is above its default, because the points are trained for a few hundred steps only.
ODDS = np.geomspace(0.3, 100, 6)
PLAN = {"scaler": "none", "lr_front": 5e-4}
SIMULATION = {"n_batches": 2, "unique_types": 1, "batch_strength": 1.5, "type_strength": 2.0, "counts_per_gene": 4.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {"n_cells": 1200, "n_genes": 300, "pretrain": 100, "epochs": 30},
    "full": {"n_cells": 4000, "n_genes": 500, "pretrain": None, "epochs": None},
}
# Measures of mixing, and whether more is better.
MEASURES = {"mixing": True, "information_beyond_type": False}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--objectives", nargs="+", choices=OBJECTIVES, default=list(OBJECTIVES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [(arguments.setting, name, seed) for seed in range(arguments.seeds) for name in arguments.objectives]
    points = run_missing(train, runs, KEYS, POINTS, jobs=arguments.jobs, resume=arguments.resume)
    summary = summarise(points)
    summary.to_csv(SUMMARY, index=False, float_format="%.4g")
    shown = arguments.setting
    draw(points[points["setting"] == shown], summary[summary["setting"] == shown])
    judged = summary.groupby(["setting", "measure", "objective"], sort=False)[["purity", "kept", "kept_marginal"]]
    print(judged.agg(["mean", "std", "count"]).to_string(float_format="%.3f"))


def train(setting: str, objective: str, seed: int) -> pd.DataFrame:
    """One front, with purity and mixing of every point."""
    import torch

    import scpareto as sp

    options = SETTINGS[setting]
    adata = sp.datasets.simulate_batches(options["n_cells"], options["n_genes"], **SIMULATION, seed=seed)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    adata.obsm["centred"] = centred_clusters(adata, seed)
    # numba in the line above has raised the number of threads that torch shares.
    torch.set_num_threads(1)
    model = sp.model.ParetoVI(adata, seed=seed)
    begun = time.perf_counter()
    model.train(
        options["pretrain"] + options["epochs"],
        max_epochs_pretrain=options["pretrain"],
        method="scalarization",
        objective="classifier",
        objective_kwargs=OBJECTIVES[objective],
        preferences=ODDS / (1 + ODDS),
        plan_kwargs=PLAN,
        progress=False,
    )
    seconds = time.perf_counter() - begun
    sp.front.audit_front(model, model.front, progress=False)
    table = model.front.to_dataframe().set_index("point")
    single = model.front.metadata.get("single_level_clusters", {}).get("classifier", [])
    split = [getattr(model, f"{part}_indices_") for part in ("train", "validation", "test")]
    rows = []
    for point in table.index:
        model.select(int(point))
        rows.append(
            {
                **dict(zip(KEYS, (setting, objective, seed), strict=True)),
                "point": point,
                "kind": table["kind"][point],
                **judge(adata, model.get_latent_representation(), split),
                "generative_loss_test": table["generative_loss_test"][point],
                "own_information_test": table["classifier_test"][point],
                **{name: table[name][point] for name in table if name.startswith("leakage_")},
                "retention": table["retention"][point],
                "single_level_clusters": len(single),
                "seconds": seconds,
            }
        )
    return pd.DataFrame(rows)


def centred_clusters(adata: AnnData, seed: int) -> np.ndarray:
    """Memberships in a Gaussian mixture of the leading principal components, less their mean in each batch."""
    import scanpy as sc
    from sklearn.mixture import GaussianMixture

    expression = adata.copy()
    sc.pp.normalize_total(expression, target_sum=1e4)
    sc.pp.log1p(expression)
    components = pd.DataFrame(sc.pp.pca(expression.X, n_comps=N_COMPONENTS, random_state=seed))
    centred = components - components.groupby(adata.obs["batch"].to_numpy()).transform("mean")
    centred = (centred / centred.std()).to_numpy()
    mixture = GaussianMixture(N_CLUSTERS, covariance_type="diag", n_init=3, reg_covar=1e-3, random_state=seed)
    return mixture.fit(centred).predict_proba(centred)


def judge(adata: AnnData, codes: np.ndarray, split: list[np.ndarray]) -> dict[str, float]:
    """Purity of the unique type and of the shared ones, and both measures of the mixing within shared types."""
    from sklearn.neighbors import NearestNeighbors

    from scpareto.metrics import batch_entropy

    types, batch = (adata.obs[key].astype(str).to_numpy() for key in ("cell_type", "batch"))
    in_batches = pd.crosstab(types, batch)
    is_shared = (in_batches > 0).sum(axis=1) > 1
    near = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(codes).kneighbors(return_distance=False)
    share = (types[near] == types[:, None]).mean(axis=1)
    purity = {name: share[types == name].mean() for name in in_batches.index}
    # Entropies among few cells of a batch are noise.
    judged = [name for name in in_batches.index[is_shared] if in_batches.loc[name].min() >= SMALLEST_BATCH]
    entropies = [
        batch_entropy(
            codes[types == name],
            batch[types == name],
            n_neighbors=N_NEIGHBORS,
            n_pools=None,
            normalize="composition",
        )
        for name in judged
    ]
    return {
        "purity": float(np.mean([purity[name] for name in in_batches.index[~is_shared]])),
        "purity_shared": float(np.mean([purity[name] for name in in_batches.index[is_shared]])),
        "mixing": float(np.average(entropies, weights=in_batches.loc[judged].sum(axis=1))),
        "information_beyond_type": beyond_type(codes, types, batch, is_shared.to_numpy(), split),
    }


def beyond_type(
    codes: np.ndarray, types: np.ndarray, batch: np.ndarray, is_shared: np.ndarray, split: list[np.ndarray]
) -> float:
    """Information about the batch, given the true type, in test cells of shared types; nats, by a fresh classifier."""
    import torch

    from scpareto.objectives import Context, estimate, get_objective

    torch.manual_seed(0)
    level, of_type = (torch.as_tensor(np.unique(labels, return_inverse=True)[1]) for labels in (batch, types))
    n_types, n_batches = int(of_type.max()) + 1, int(level.max()) + 1
    objective = get_objective(
        "classifier", n_latent=codes.shape[1], n_categories=n_batches, on="mean", given="type", n_clusters=n_types
    )
    memberships = torch.nn.functional.one_hot(of_type, n_types).float()
    context = Context(categorical={"batch": level}, clusters={"type": memberships})
    z = torch.as_tensor(codes, dtype=torch.float32)
    parts = [torch.as_tensor(part[is_shared[of_type.numpy()[part]]]) for part in split]
    return estimate(objective, torch.distributions.Normal(z, torch.ones_like(z)), context, parts)[-1]


def summarise(points: pd.DataFrame) -> pd.DataFrame:
    """Purity of every conditional front and of the marginal one, where both mix the shared types equally.

    The level is the strongest that both fronts reach. Purity between two points is interpolated in the mixing. The
    other extreme, information alone, is no choice that anyone would make, and is left out.
    """
    rows = []
    for (setting, seed), pooled in points.groupby(["setting", "seed"]):
        fronts = {name: front[front["purity"].notna()] for name, front in pooled.groupby("objective")}
        if MARGINAL not in fronts:
            continue
        for objective in (name for name in OBJECTIVES if name in fronts and name != MARGINAL):
            for measure, more_is_better in MEASURES.items():
                sign = 1 if more_is_better else -1
                pair = [choices(fronts[name], measure, sign) for name in (objective, MARGINAL)]
                level = min(front["mixed"].max() for front in pair)
                purity, purity_marginal = (np.interp(level, front["mixed"], front["purity"]) for front in pair)
                before, before_marginal = (front.loc[front["point"] == 0, "purity"].iloc[0] for front in pair)
                rows.append(
                    {
                        "setting": setting,
                        "objective": objective,
                        "seed": seed,
                        "measure": measure,
                        "level": sign * level,
                        "reached": sign * pair[0]["mixed"].max(),
                        "reached_marginal": sign * pair[1]["mixed"].max(),
                        "purity_uncorrected": before,
                        "purity": purity,
                        "purity_marginal": purity_marginal,
                        "kept": purity / before,
                        "kept_marginal": purity_marginal / before_marginal,
                        "holds": purity >= AIM * before,
                    }
                )
    return pd.DataFrame(rows)


def choices(front: pd.DataFrame, measure: str, sign: int) -> pd.DataFrame:
    """Points of a front up to its last preference, by increasing mixing."""
    own = front[(front["kind"] == "candidate") | (front["point"] == 0)]
    return own.assign(mixed=sign * own[measure]).sort_values("mixed")


def draw(points: pd.DataFrame, summary: pd.DataFrame) -> None:
    """Purity against each measure of mixing, and what is kept where both fronts mix equally."""
    import matplotlib.pyplot as plt

    colours = dict(zip(OBJECTIVES, ("#D55E00", "#0072B2", "#56B4E9", "#CC79A7", "#E69F00", "#009E73"), strict=True))
    titles = {
        "mixing": ("neighbours", "entropy of batches within shared types (1: mixed)"),
        "information_beyond_type": ("classifier", "information about batch beyond type (nats)"),
    }
    ratios = {"width_ratios": [1.25, 1.25, 1]}
    figure, axes = plt.subplots(1, 3, figsize=(12.6, 4.3), layout="constrained", sharey=True, gridspec_kw=ratios)
    for axis, (measure, more_is_better) in zip(axes, MEASURES.items(), strict=False):
        axis.axhline(AIM, color="0.6", lw=0.8, ls=(0, (4, 3)), zorder=0)
        for objective, colour in colours.items():
            own = points[(points["objective"] == objective) & (points["purity"].notna())]
            own = own[(own["kind"] == "candidate") | (own["point"] == 0)]
            if own.empty:
                continue
            before = own[own["point"] == 0].set_index("seed")["purity"]
            own = own.assign(kept=own["purity"] / own["seed"].map(before))
            for _, front in own.groupby("seed"):
                axis.plot(front[measure], front["kept"], "-", color=colour, lw=0.7, alpha=0.3)
            mean = own.groupby("point")[[measure, "kept"]].mean()
            axis.plot(
                mean[measure], mean["kept"], "o-", color=colour, lw=2, ms=4.5, label=objective, mec="white", mew=0.5
            )
        axis.set_title(titles[measure][0], fontsize=11, fontweight="bold")
        axis.set_xlabel(titles[measure][1])
        if not more_is_better:
            axis.invert_xaxis()
    axes[0].set_ylabel("purity of the unique type\nrelative to the uncorrected point")
    compared = [name for name in OBJECTIVES if name != MARGINAL and name in set(summary["objective"])]
    axes[2].axhline(AIM, color="0.6", lw=0.8, ls=(0, (4, 3)), zorder=0)
    for place, objective in enumerate(compared):
        own = summary[(summary["objective"] == objective) & (summary["measure"] == "mixing")]
        for _, row in own.iterrows():
            axes[2].plot(
                [place - 0.14, place + 0.14], [row["kept_marginal"], row["kept"]], color="0.8", lw=0.9, zorder=1
            )
        for shift, column, colour in ((-0.14, "kept_marginal", colours[MARGINAL]), (0.14, "kept", colours[objective])):
            spots = np.full(len(own), place + shift)
            axes[2].scatter(spots, own[column], s=26, color=colour, alpha=0.75, linewidths=0, zorder=2)
            axes[2].hlines(own[column].mean(), place + shift - 0.1, place + shift + 0.1, color=colour, lw=2.2, zorder=3)
    labels = [name.replace(", ", ",\n") for name in compared]
    axes[2].set_xticks(range(len(compared)), labels, fontsize=8.5)
    axes[2].set_title("beside marginal, at equal mixing", fontsize=11, fontweight="bold")
    axes[0].annotate("aim", (0.01, AIM), xycoords=("axes fraction", "data"), va="bottom", fontsize=8.5, color="0.4")
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8.5)
    handles, names = axes[0].get_legend_handles_labels()
    legend = {"loc": "outside lower center", "ncols": len(names), "frameon": False, "fontsize": 9}
    figure.legend(handles, names, title="information as objective, given", title_fontsize=9, **legend)
    figure.savefig(FIGURE, dpi=200)


if __name__ == "__main__":
    main()
