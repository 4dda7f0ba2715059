"""Where do the popular integration methods sit beside a front?

Claim under test: every unsupervised integrator's point is weakly dominated by some point of ParetoVI's front within
intervals, in the plane of leakage and retention and in that of scib-metrics' batch correction and bio conservation.

    python experiments/integrators.py --setting small --resume

Four real data sets of several batches. Methods integrate one random half of the variable genes. Retention is judged
twice: against principal components of these genes, of which methods that start from the same components cannot lose
much, and against those of the other half, which no method has seen. scANVI is told the labels of training cells and
stands apart. `--longer` adds a front whose points are trained for longer, and scVI with as many epochs as such a point
and its start have together. Writes results/points/integrators_<setting>_<dataset>.csv (one row per method, setting,
seed and point), results/integrators.csv (one per method at its defaults), results/integrators_claim.csv and
results/integrators.png.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import numpy as np
import pandas as pd
from shared import RESULTS, load

TABLE, CLAIM, FIGURE = RESULTS / "integrators.csv", RESULTS / "integrators_claim.csv", RESULTS / "integrators.png"
DATASETS = ("celllines_3protocols", "kang_ifnb_pbmc", "pancreas_human_mouse", "pbmc_multistudy")
PLANES = {
    "leakage, retention": ("leakage_mean", "retention"),
    "leakage, retention of other genes": ("leakage_mean", "retention_reference"),
    "scib-metrics": ("scib_batch", "scib_bio"),
}
OTHER_GENES = "X_other_genes"
# Cells and genes at most; epochs of every network, and of a point of the front after as many for the shared start.
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {"seeds": 3, "n_cells": 2000, "n_genes": 1000, "epochs": 100, "point": 100, "n_points": 7, "long": 200},
    "full": {"seeds": 3, "n_cells": None, "n_genes": 2000, "epochs": 400, "point": 100, "n_points": 12, "long": 400},
}
FRACTIONS = (0.5, 0.1, 0.4)
LONGER = {"scvi_longer": "scvi", "paretovi_longer": "paretovi"}
SWEEPS = {
    "harmony": (0.0, 0.5, 1.0, 4.0, 8.0),
    "sysvi": (10.0, 50.0),
    "scvi": (3.0, 10.0),
    "scvi_hsic": (10_000.0, 100_000.0),
    "scvi_mmd": (100.0, 1000.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, help="splits, 3 by default")
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--longer", action="store_true")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    setting = arguments.setting
    for dataset in arguments.datasets:
        n_seeds = arguments.seeds or SETTINGS[setting]["seeds"]
        run(setting, dataset, n_seeds, longer=arguments.longer, resume=arguments.resume)
    finish()


def run(setting: str, dataset: str, n_seeds: int, *, longer: bool, resume: bool) -> None:
    """Run what is missing of one data set; every finished run is written at once."""
    import scpareto as sp

    path = points_of(setting, dataset)
    if path.exists() and not resume:
        path.unlink()
    options = SETTINGS[setting]
    epochs = {"max_epochs": options["epochs"], "batch_size": 128}
    clusters = {"max_epochs": options["epochs"], "max_epochs_clusters": options["epochs"], "batch_size": 128}
    front = {
        # The rows that are committed are of points that are trained apart.
        "method": "pareto_mtl",
        "max_epochs_pretrain": options["epochs"],
        "max_epochs": options["epochs"] + options["point"],
        "n_points": options["n_points"],
        "batch_size": 128,
    }
    methods = [name for name in sp.bench.methods()["name"] if name not in LONGER]
    chosen_options: dict[str, dict[str, Any]] = {}
    if longer:
        for name, base in LONGER.items():
            method = sp.bench.get_method(base)
            facts = {"family": method.family, "library": method.library, "reference": method.reference}
            facts |= {"returns": method.returns, "inductive": method.inductive}
            sp.bench.register_method(name, **facts)(method.run)
        methods += list(LONGER)
        chosen_options["scvi_longer"] = epochs | {"max_epochs": options["epochs"] + options["long"]}
        chosen_options["paretovi_longer"] = front | {"max_epochs": options["epochs"] + options["long"]}
    adata = halved(dataset, **{key: options[key] for key in ("n_cells", "n_genes")})
    bench = sp.bench.Benchmark(
        adata,
        batch_key="batch",
        labels_key="cell_type",
        methods=methods,
        seeds=n_seeds,
        options={
            **dict.fromkeys(("scvi", "sysvi", "scvi_hsic", "scvi_mmd", "saucie_mmd"), epochs),
            "scanvi": epochs | {"max_epochs_labels": 20},
            "desc": clusters,
            "scdeepcluster": clusters,
            # The published learning rate needs ten times as many epochs.
            "sczidesk": clusters | {"lr": 1e-3},
            "paretovi": front,
            **chosen_options,
        },
        sweeps=SWEEPS,
        reference_rep=OTHER_GENES,
        fractions=FRACTIONS,
        scib_intervals=True,
        path=path,
    )
    bench.run(progress=False)
    print(dataset, bench.to_dataframe()["status"].value_counts().to_dict(), flush=True)


def halved(dataset: str, *, n_cells: int | None, n_genes: int):
    """Counts of half of the variable genes, with the principal components of the other half beside them."""
    from scpareto._cells import principal_components

    adata = load(dataset, n_genes=n_genes)
    rng = np.random.default_rng(0)
    if n_cells is not None and n_cells < adata.n_obs:
        adata = adata[np.sort(rng.choice(adata.n_obs, n_cells, replace=False))]
    first = rng.permutation(adata.n_vars) < adata.n_vars // 2
    both = np.asarray((adata[:, first].X.sum(axis=1) > 0) & (adata[:, ~first].X.sum(axis=1) > 0)).ravel()
    adata = adata[both]
    chosen = adata[:, first].copy()
    chosen.obsm[OTHER_GENES] = principal_components(adata[:, ~first].X)
    return chosen


def points_of(setting: str, dataset: str):
    return RESULTS / "points" / f"integrators_{setting}_{dataset}.csv"


def read() -> pd.DataFrame:
    """All rows of all settings and data sets that are there."""
    tables = []
    for setting in SETTINGS:
        for dataset in DATASETS:
            path = points_of(setting, dataset)
            if path.exists():
                rows = pd.read_csv(path).rename(columns={"setting": "knob"}).assign(setting=setting, dataset=dataset)
                tables.append(rows.assign(knob=rows["knob"].fillna("")))
    return pd.concat(tables, ignore_index=True)


def finish() -> None:
    """Write the summary, judge the claim, and draw."""
    points = read()
    columns = ["leakage_mean", "retention", "retention_reference", "scib_batch", "scib_bio", "scib_total"]
    costs = ["cpu_seconds", "peak_mb"]
    ends = points["knob"].eq("") & (points["family"].ne("front") | points["selected"].eq(True))
    summary = points.loc[ends, ["setting", "dataset", "method", "seed", *columns, *costs]]
    summary.to_csv(TABLE, index=False, float_format="%.4g")
    claim = judge(points)
    claim.to_csv(CLAIM, index=False, float_format="%.3g")
    print(claim.to_string(index=False))
    draw(points)


def judge(points: pd.DataFrame) -> pd.DataFrame:
    """For every plane and data set: how many integrators are dominated at their defaults, and which are not."""
    from scpareto.bench._dominance import beside_front

    rows = []
    for (setting, dataset), own in points.groupby(["setting", "dataset"], sort=False):
        table = own.assign(setting=own["knob"])
        unsupervised = ~table["labels"].astype(bool)
        if not (table["family"] == "front").any():
            continue
        fronts = [name for name in ("paretovi", "paretovi_longer") if (table["method"] == name).any()]
        for front, (plane, (x, y)) in itertools.product(fronts, PLANES.items()):
            found = beside_front(table[unsupervised], x=x, y=y, front=front)
            found = found[found["setting"].eq("") & found["family"].ne("uncorrected") & ~found["method"].isin(LONGER)]
            beyond = found[~found["dominated_within"]]
            rows.append(
                {
                    "setting": setting,
                    "dataset": dataset,
                    "plane": plane,
                    "front": front,
                    "seeds": found["seed"].nunique(),
                    "points": len(found),
                    "dominated": int(found["dominated"].sum()),
                    "within_intervals": int(found["dominated_within"].sum()),
                    "holds": bool(found["dominated_within"].all()),
                    "not_dominated": ", ".join(pd.unique(beyond["method"])),
                }
            )
    return pd.DataFrame(rows)


def draw(points: pd.DataFrame) -> None:
    """Every method in the three planes of every data set; the front and the sweeps as lines."""
    import matplotlib.pyplot as plt

    from scpareto.bench._registry import method_title
    from scpareto.pl._palette import PALETTE
    from scpareto.pl._style import INK, LABEL_SIZE, NOTE_SIZE, TICK_SIZE, tidy
    from scpareto.pl._titles import get_title

    setting = "full" if (points["setting"] == "full").any() else "small"
    points = points[(points["setting"] == setting) & (points["status"] == "finished")]
    datasets = [d for d in DATASETS if d in set(points["dataset"])]
    methods = [m for m in pd.unique(points["method"]) if m not in ("paretovi", *LONGER)]
    colors = {m: PALETTE[1 + i] for i, m in enumerate(methods)}
    markers = {m: "sD^vPX*<>phd8sD^v"[i] for i, m in enumerate(methods)}
    figure, axes = plt.subplots(
        len(datasets), 3, figsize=(7.2, 2.15 * len(datasets) + 0.9), squeeze=False, layout="constrained"
    )
    handles: dict[str, Any] = {}
    for row, dataset in zip(axes, datasets, strict=True):
        own = points[points["dataset"] == dataset]
        means = own.groupby(["method", "knob", "strength", "point"], dropna=False, sort=False).mean(numeric_only=True)
        means = means.reset_index()
        for ax, (x, y) in zip(row, PLANES.values(), strict=True):
            tidy(ax)
            front = means[means["method"] == "paretovi"].sort_values("point")
            handles["paretovi"] = ax.plot(front[x], front[y], "-o", color=PALETTE[0], ms=3.6, lw=1.4, zorder=4)[0]
            front = means[means["method"] == "paretovi_longer"].sort_values("point")
            if len(front):
                longer = ax.plot(front[x], front[y], "--o", color=PALETTE[0], mfc="white", ms=3.6, lw=1.0, zorder=4)
                handles["paretovi_longer"] = longer[0]
            extended = means[means["method"] == "scvi_longer"]
            if len(extended):
                shape = {"color": colors["scvi"], "mfc": "white", "ms": 5, "ls": "none"}
                handles["scvi_longer"] = ax.plot(extended[x], extended[y], markers["scvi"], **shape)[0]
            for method in methods:
                rows = means[means["method"] == method].sort_values("strength")
                if len(rows) > 1:
                    ax.plot(rows[x], rows[y], "-", color=colors[method], lw=0.8, alpha=0.8, zorder=2)
                    ax.plot(rows[x], rows[y], ".", color=colors[method], ms=2.5, zorder=2)
                default = rows[rows["knob"] == ""]
                handles[method] = ax.plot(
                    default[x],
                    default[y],
                    markers[method],
                    color=colors[method],
                    ms=5,
                    mec="white" if markers[method] not in "xX" else INK,
                    mew=0.4,
                    ls="none",
                    zorder=3,
                )[0]
            ax.tick_params(labelsize=TICK_SIZE)
            if dataset == datasets[-1]:
                ax.set_xlabel(get_title(x), fontsize=LABEL_SIZE)
            ax.set_ylabel(get_title(y).replace(", independent reference", ",\nother genes"), fontsize=NOTE_SIZE)
        row[0].set_title(dataset, fontsize=LABEL_SIZE, loc="left")
    figure.legend(
        handles.values(),
        [
            {"paretovi_longer": "ParetoVI, longer", "scvi_longer": "scVI, longer"}.get(m, method_title(m))
            for m in handles
        ],
        loc="outside lower center",
        ncols=5,
        fontsize=NOTE_SIZE,
        frameon=False,
    )
    figure.savefig(FIGURE, dpi=200)


if __name__ == "__main__":
    main()
