"""The published two by two: Pareto MTL and scalarisation, each with MINE and MMD, and the claims made for it.

Claims of Li et al. (2022) under test: candidates keep their order with MINE and lose it with MMD; Pareto MTL offers
more distinct choices than scalarisation, and a larger share of non-dominated points; the set found with MINE dominates
that found with MMD; plain scVI is dominated in the planes of silhouette or NMI and batch entropy.

    python experiments/published_comparison.py --setting small --seeds 3 --jobs 2 --resume

Every front is judged on training and on test cells. Writes results/points/published_comparison.csv (one row per point
and part), results/published_comparison.csv (one per dataset, method, objective, seed, part and plane),
results/published_claims.csv and results/published_comparison.png.

V of all committed rows with ``preset="paper"`` is rounding (below 3e-7): their judge was trained with a patience of 20
passes, which ended its training while the ten-layer critic still was the constant that it starts as. They are counted
as ``dead``, and their plane (U, V) is left empty. The schedule below has no patience. The rows were not trained anew.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from shared import RESULTS, load, run_missing

if TYPE_CHECKING:
    from anndata import AnnData

POINTS = RESULTS / "points" / "published_comparison.csv"
SUMMARY, CLAIMS = RESULTS / "published_comparison.csv", RESULTS / "published_claims.csv"
FIGURE = RESULTS / "published_comparison.png"
KEYS = ("setting", "dataset", "preset", "method", "objective", "seed")
DATASETS = ("pbmc_multistudy", "simulate_batches")
METHODS, OBJECTIVES = ("pareto_mtl", "scalarization"), ("mine", "mmd")
N_POINTS, WIDTH, MARGIN = 10, 0.05, 0.001
# Faster than published, for small settings: on codes of 1,306 cells with 0.62 nats the critic leaves its start after 40
# passes and reads 0.6 nats after 80. The published schedule takes 100 and 200.
FASTER_CRITIC = {"max_epochs": 150, "patience": None, "lr": 1e-3}
ROUNDING = 1e-6
"""Nats below which V is what a critic reads that is constant."""
# Splits, genes, epochs of the shared start and of a point (None: the default), training of the published judge (None:
# as published), starts of K-means.
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {
        "seeds": 3,
        "n_genes": 2000,
        "pretrain": 60,
        "epochs": 40,
        "paper": (60, 8),
        "n_init": 20,
        "plan": {"de_novo": FASTER_CRITIC},
    },
    "full": {
        "seeds": 10,
        "n_genes": 2000,
        "pretrain": None,
        "epochs": None,
        "paper": (None, None),
        "n_init": 200,
        "plan": None,
    },
}
# Every axis is to be made small. U is standardised by the range of all fronts of its seed (of one preset).
PLANES = {
    "U, V": ("U", "V"),
    "U, NN": ("U", "NN"),
    "U, leakage": ("U", "leakage_mean"),
    "-ASW, -BE": ("-ASW", "-BE"),
    "-NMI, -BE": ("-NMI", "-BE"),
    "-ARI, -BE": ("-ARI", "-BE"),
    "-UCA, -BE": ("-UCA", "-BE"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, help="train/test splits; 3 in the small setting, 10 in the full one")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    setting = arguments.setting
    seeds = range(arguments.seeds or SETTINGS[setting]["seeds"])
    runs = [(setting, dataset, "paper", "pareto_mtl", "mine", 0) for dataset in arguments.datasets]
    runs += [
        (setting, dataset, "practical", method, objective, seed)
        for seed in seeds
        for dataset in arguments.datasets
        for objective in OBJECTIVES
        for method in METHODS
    ]
    points = run_missing(train, runs, KEYS, POINTS, jobs=arguments.jobs, resume=arguments.resume)
    points = standardised(points)
    summary = summarise(points)
    summary.to_csv(SUMMARY, index=False, float_format="%.4g")
    claims = judge_claims(points, summary)
    claims.to_csv(CLAIMS, index=False, float_format="%.3g")
    draw(points)
    print(claims.to_string(index=False))


def train(setting: str, dataset: str, preset: str, method: str, objective: str, seed: int) -> pd.DataFrame:
    """One front, with the surrogates of every point on training and on test cells."""
    import scpareto as sp

    options = SETTINGS[setting]
    adata = load(dataset, n_genes=options["n_genes"], seed=seed)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    published = preset == "paper"
    model = sp.model.ParetoVI(adata, seed=seed, preset="paper" if published else None)
    pretrain, epochs = options["paper"] if published else (options["pretrain"], options["epochs"])
    begun = time.perf_counter()
    model.train(
        pretrain + epochs,
        max_epochs_pretrain=pretrain,
        method=method,
        objective=objective,
        n_points=N_POINTS + 2,  # and the two ends
        plan_kwargs=options["plan"] if published else None,
        progress=False,
    )
    seconds = time.perf_counter() - begun
    rows = judge(model, adata, objective, n_init=options["n_init"])
    keys = pd.DataFrame([(setting, dataset, preset, method, objective, seed)] * len(rows), columns=list(KEYS))
    return pd.concat([keys, rows], axis=1).assign(seconds=seconds)


def judge(model: Any, adata: AnnData, objective: str, *, n_init: int) -> pd.DataFrame:
    """Losses and surrogates of every point of a trained front, on training and on test cells."""
    import scpareto as sp

    sp.front.audit_front(model, model.front, progress=False)
    table = model.front.to_dataframe().set_index("point")
    batch, labels = adata.obs["batch"].to_numpy(), adata.obs["cell_type"].to_numpy()
    rows = []
    for point in table.index:
        model.select(int(point))
        mean = model.get_latent_representation()
        sample = model.get_latent_representation(give_mean=False)
        for part in ("train", "test"):
            cells = getattr(model, f"{part}_indices_")
            elbo = np.asarray(model.get_elbo(indices=cells, return_mean=False))
            clusters = sp.metrics.clustering_scores(mean[cells], labels[cells], n_init=n_init)
            rows.append(
                {
                    "part": part,
                    "point": point,
                    "kind": table["kind"][point],
                    "generative_loss": table[f"generative_loss_{part}"][point],
                    "generative_loss_se": float(np.std(elbo) / np.sqrt(len(elbo))),
                    "V": table[f"{objective}_{part}"][point],
                    "NN": sp.metrics.nn_mutual_information(sample[cells], batch[cells]),
                    "-ASW": -sp.metrics.silhouette(mean[cells], labels[cells]),
                    "-BE": -sp.metrics.batch_entropy(mean[cells], batch[cells]),
                    "-NMI": -clusters.nmi,
                    "-ARI": -clusters.ari,
                    "-UCA": -clusters.uca,
                    **{name: table[name][point] for name in table if name.startswith("leakage_")},
                    "retention": table["retention"][point],
                }
            )
    return pd.DataFrame(rows)


def standardised(points: pd.DataFrame, preset: str = "practical") -> pd.DataFrame:
    """Add U, the generative loss between the lowest (0) and the highest (1) of a preset's fronts of its seed.

    V of critics that never left their start becomes NaN.
    """
    points = points.copy()
    points["V"] = points["V"].mask(points["objective"].eq("mine") & points["V"].abs().lt(ROUNDING))
    points["U"] = np.nan
    for _, pooled in points.groupby(["setting", "dataset", "seed", "part"]):
        ends = pooled[pooled["preset"] == preset]["generative_loss"]
        if len(ends):
            points.loc[pooled.index, "U"] = (pooled["generative_loss"] - ends.min()) / (ends.max() - ends.min())
    return points


def summarise(points: pd.DataFrame) -> pd.DataFrame:
    """Indicators of every front in every plane; reference point and grid are common to a dataset's fronts.

    As published, reference and grid come from all points of all methods, splits and both parts; V has a reference and
    a grid for each objective, and points with U above 2 count for nothing. Points whose V was not measured, because the
    judge never left its start, are counted as ``dead``; a front of which all are has no indicators in that plane.
    """
    from scpareto.pareto import hypervolume, non_dominated, number_of_distinct_choices

    rows = []
    for (setting, dataset), pooled in points.dropna(subset="U").groupby(["setting", "dataset"]):
        for plane, axes in PLANES.items():
            for objective, same in pooled.groupby("objective"):
                everyone = same if "V" in axes else pooled
                known = everyone[everyone["U"] < 2][list(axes)].dropna().to_numpy()
                for (preset, method, seed, part), front in same.groupby(["preset", "method", "seed", "part"]):
                    measured = front.dropna(subset=list(axes))
                    row = {
                        "dataset": dataset,
                        "method": method,
                        "objective": objective,
                        "preset": preset,
                        "seed": seed,
                        "setting": setting,
                        "part": part,
                        "plane": plane,
                        "dead": len(front) - len(measured),
                    }
                    if len(measured):
                        reference, origin = known.max(axis=0) + MARGIN, known.min(axis=0) - MARGIN
                        own = measured[list(axes)].to_numpy()
                        within = own[(own < reference).all(axis=1) & (own > origin).all(axis=1)]
                        first = measured["generative_loss"].to_numpy().argmin()
                        row |= {
                            "non_dominated_share": non_dominated(own).mean(),
                            "hypervolume": hypervolume(within, reference),
                            "distinct_choices": number_of_distinct_choices(within, WIDTH, origin=origin),
                            "order": spearmanr(measured["point"], own[:, 1]).statistic,
                            "share_beyond_interval": not_clearly_dominated(measured).mean(),
                            "trade_off_begins": int(measured["point"].iloc[first]),
                            "share_from_there": non_dominated(own[first:]).mean(),
                        }
                    rows.append(row)
    return pd.DataFrame(rows)


def not_clearly_dominated(front: pd.DataFrame) -> np.ndarray:
    """Which points no other one beats by more than the uncertainty of both axes, leakage of the mean and U.

    The cells are the same for all points, so the standard error of the generative loss of one point, which is mostly
    the difference between cells, overstates that of a difference between points; a tenth of it is taken.
    """
    loss, leak = front["generative_loss"].to_numpy(), front["leakage_mean"].to_numpy()
    clear_loss = 0.1 * front["generative_loss_se"].to_numpy()
    half = (front["leakage_mean_high"] - front["leakage_mean_low"]).to_numpy() / 2
    beaten = (loss[:, None] - loss[None, :] > clear_loss[:, None]) & (leak[:, None] - leak[None, :] > half[:, None])
    return ~beaten.any(axis=1)


def judge_claims(points: pd.DataFrame, summary: pd.DataFrame, preset: str = "practical") -> pd.DataFrame:
    """Each published claim with its numbers on test cells, mean and spread over seeds, and whether it holds."""
    from scpareto.pareto import non_dominated

    rows = []
    test = summary[(summary["part"] == "test") & (summary["preset"] == preset)]
    cells = points[(points["part"] == "test") & (points["preset"] == preset)].dropna(subset="U")

    def compare(claim: str, dataset: str, better: pd.Series, worse: pd.Series, names: tuple[str, str]) -> None:
        rows.append(
            {
                "claim": claim,
                "dataset": dataset,
                "first": f"{names[0]} {better.mean():.2f} ({better.std():.2f})",
                "second": f"{names[1]} {worse.mean():.2f} ({worse.std():.2f})",
                "seeds": len(better),
                "holds": bool(better.mean() - better.std() > worse.mean() + worse.std()),
                "tendency": bool(better.mean() > worse.mean()),
            }
        )

    for dataset, own in test.groupby("dataset"):

        def of(plane: str, column: str, own: pd.DataFrame = own, **which: str) -> pd.Series:
            chosen = own[own["plane"] == plane]
            for name, value in which.items():
                chosen = chosen[chosen[name] == value]
            return chosen.set_index("seed")[column]

        for method in METHODS:
            for plane, name in (("U, NN", "NN"), ("U, leakage", "leakage of the mean")):
                orders = [-of(plane, "order", method=method, objective=objective) for objective in OBJECTIVES]
                compare(f"order kept, minus Spearman of point and {name} ({method})", dataset, *orders, OBJECTIVES)
        for objective in OBJECTIVES:
            for plane in ("U, V", "U, NN", "U, leakage"):
                for column, name in (("distinct_choices", "distinct choices"), ("non_dominated_share", "share")):
                    pair = [of(plane, column, method=method, objective=objective) for method in METHODS]
                    compare(f"more {name} in ({plane}), {objective}", dataset, *pair, METHODS)
        planes = ("U, NN", "U, leakage")
        covered: dict[tuple[str, str], list[float]] = {(o, plane): [] for o in OBJECTIVES for plane in planes}
        beaten: dict[str, list[bool]] = {"-ASW, -BE": [], "-NMI, -BE": []}
        for _, front in cells[(cells["dataset"] == dataset) & (cells["method"] == "pareto_mtl")].groupby("seed"):
            for one, other in (("mine", "mmd"), ("mmd", "mine")):
                for plane in planes:
                    ours, theirs = (
                        front[front["objective"] == o][list(PLANES[plane])].to_numpy() for o in (one, other)
                    )
                    both = non_dominated(np.vstack([theirs, ours]))[: len(theirs)]
                    covered[one, plane].append(1 - both[non_dominated(theirs)].mean())
            own = front[front["objective"] == "mine"].sort_values("point")
            for plane in beaten:
                beaten[plane].append(not non_dominated(own[list(PLANES[plane])].to_numpy())[0])
        for plane in planes:
            shares = [pd.Series(covered[objective, plane]) for objective in OBJECTIVES]
            compare(f"share of the other's front that is dominated in ({plane})", dataset, *shares, OBJECTIVES)
        for plane, found in beaten.items():
            rows.append(
                {
                    "claim": f"plain scVI (point 0) dominated in ({plane})",
                    "dataset": dataset,
                    "first": f"{sum(found)} of {len(found)} seeds",
                    "second": "",
                    "seeds": len(found),
                    "holds": all(found),
                    "tendency": np.mean(found) > 0.5,
                }
            )
    return pd.DataFrame(rows)


def draw(points: pd.DataFrame) -> None:
    """All fronts on test cells: generative loss against leakage of the mean, and leakage along the points."""
    import matplotlib.pyplot as plt

    colours = {"mine": "#0072B2", "mmd": "#D55E00"}
    test = points[(points["part"] == "test") & (points["preset"] == "practical")].dropna(subset="U")
    datasets = list(dict.fromkeys(test["dataset"]))
    figure, axes = plt.subplots(
        len(datasets), 4, figsize=(13, 3.1 * len(datasets)), squeeze=False, layout="constrained"
    )
    for row, dataset in enumerate(datasets):
        for column, method in enumerate(METHODS):
            plane, along = axes[row, column], axes[row, 2 + column]
            for objective in OBJECTIVES:
                some = test[
                    (test["dataset"] == dataset) & (test["method"] == method) & (test["objective"] == objective)
                ]
                for k, (_, front) in enumerate(some.groupby("seed")):
                    front = front.sort_values("point")
                    style = {"color": colours[objective], "alpha": 0.8, "ms": 3.5, "lw": 0.9}
                    label = objective if k == 0 else None
                    cost = front["generative_loss"] - front["generative_loss"].iloc[0]
                    plane.plot(front["leakage_mean"], cost, "o", label=label, **style)
                    along.plot(front["point"], front["leakage_mean"], "o-", label=label, **style)
            plane.set(title=f"{dataset}\n{method}", xlabel="leakage of the mean (nats)")
            along.set(title=f"{dataset}\n{method}", xlabel="point, 0 uncorrected", ylim=(-0.02, None))
            for axis in (plane, along):
                axis.spines[["top", "right"]].set_visible(False)
        axes[row, 0].set_ylabel("generative loss above point 0,\ntest cells (nats per cell)")
        axes[row, 2].set_ylabel("leakage of the mean,\ntest cells (nats)")
        axes[row, 0].legend(frameon=False)
    figure.savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
