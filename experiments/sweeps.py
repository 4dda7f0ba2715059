"""Other methods as fronts over their own option, beside the front of ParetoVI, on the same axes by the same judge.

Question: where do the fronts of Harmony (both flavours), Scanorama, fastMNN, Seurat, ComBat, SysVI and scVI lie, is the
value that the judge recommends without labels better than the default by measures that see labels, and how far is it
from the best value?

    python experiments/sweeps.py --setting small --seeds 1 --jobs 1 --resume
    python experiments/sweeps.py --datasets kang_ifnb_pbmc --methods harmony scanorama combat --jobs 1 --resume

Every method is given the same variable genes; all its values, and the points of ParetoVI, are judged on all cells of
the draw. Seen by labels that nothing was told: the aggregates of scib-metrics, and ``rare_purity``, the share of the 15
neighbours of a cell that are of its type, mean over the three rarest types of 15 cells or more. Writes
results/sweeps.csv, one row per data set, method, value and seed (values that fail have a ``reason``), and draws
results/sweeps.png. ``summary`` sets the recommended value beside the default and the best one.
"""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from shared import RESULTS, load, run_missing

TABLE, FIGURE = RESULTS / "sweeps.csv", RESULTS / "sweeps.png"
KEYS = ("setting", "dataset", "method", "seed")
DATASETS: dict[str, dict[str, Any]] = {
    "pbmc_multistudy": {"n_genes": 1000},
    "kang_ifnb_pbmc": {"n_genes": 1000},
    "celllines_3protocols": {"n_genes": 500},
    "pancreas_human_mouse": {"n_genes": 1000},
    "pancreas_baron_orthologues": {"n_genes": 2000},
    "retina_fovea_periphery": {"n_genes": 2000, "labels": "cell_type_fine"},
    "tal1_chimera": {"n_genes": 300},
    "lung_tumour_dc": {"n_genes": 1000},
    "worm_l2_plates": {"n_genes": 1000},
    "primate_neural_diff": {"n_genes": 300},
}
"""Variable genes that are taken, and the column with the truth."""
METHODS = ("combat", "harmony", "harmony_ridge", "scanorama", "fastmnn", "seurat_cca", "scvi", "sysvi", "paretovi")
SETTINGS = {"small": 2500, "full": 20_000}
N_NEIGHBORS, N_RARE, LEAST_CELLS = 15, 3, 20
SCORES = ("scib_total", "rare_purity")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [
        (arguments.setting, dataset, method, seed)
        for seed in range(arguments.seeds)
        for dataset in arguments.datasets
        for method in arguments.methods
    ]
    table = run_missing(train, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    draw(table)
    print(summary(table).to_string(index=False, float_format="{:.3f}".format))


def train(setting: str, dataset: str, method: str, seed: int) -> pd.DataFrame:
    """Sweep one method on one draw, and see all values by labels."""
    adata, labels = cells_of(dataset, SETTINGS[setting], seed)
    begun = time.process_time()
    with warnings.catch_warnings():
        # What fails has a row with the reason.
        warnings.simplefilter("ignore")
        front = paretovi(adata, seed) if method == "paretovi" else sweep(adata, method, seed)
    spent = time.process_time() - begun
    table = front.to_dataframe()
    columns = [f"{name}{end}" for name in ("batch_left", "structure_kept") for end in ("", "_low", "_high")]
    columns = ["value", "default", "library", "seconds", *columns, "alarm", "scib_bio", "scib_batch", "scib_total"]
    rows = table[[column for column in columns if column in table]].assign(
        recommended=[number == recommended_of(front) for number in front.numbers],
        rare_purity=[rare_purity(front.codes[number], labels) for number in front.numbers],
    )
    runs = front.tables["runs"]
    failed = runs.loc[runs["reason"] != "", [c for c in ("value", "default", "seconds", "reason") if c in runs]]
    rows = pd.concat([rows.assign(reason="none"), failed], ignore_index=True)
    flags = {name: is_true(rows[name]) for name in ("recommended", "default")}
    return rows.assign(
        **flags,
        setting=setting,
        dataset=dataset,
        method=method,
        seed=seed,
        n_cells=adata.n_obs,
        cpu_seconds_in_all=spent,
    )


def sweep(adata: Any, method: str, seed: int) -> Any:
    import scpareto as sp

    return sp.tl.sweep(adata, method, batch_key="batch", labels_key="truth", seed=seed, progress=False)


def paretovi(adata: Any, seed: int) -> Any:
    """Judge points of ParetoVI as the values of the others are; its own recommendation, of held-out cells, is kept."""
    import scpareto as sp

    begun = time.perf_counter()
    model = sp.tl.integrate(adata, "batch", n_top_genes=None, seed=seed, progress=False)
    seconds = time.perf_counter() - begun
    keys = {number: f"X_point_{number}" for number in model.front.numbers}
    for number, key in keys.items():
        with model.at(number):
            adata.obsm[key] = model.get_latent_representation()
    front = sp.tl.front_of(adata, keys, batch_key="batch", labels_key="truth", name="paretovi", knob="point", seed=seed)
    # All points are of one training.
    front.table = front.table.assign(
        seconds=seconds / len(front), library=f"scpareto {version('scpareto')}", default=False
    )
    front.metadata["own"] = model.front.recommended
    return front


def recommended_of(front: Any) -> int:
    own = front.metadata.get("own")
    if own is None:
        return front.recommended
    return front.numbers[front.table["value"].tolist().index(own)] if own in front.table["value"].tolist() else -1


def cells_of(dataset: str, limit: int, seed: int) -> tuple[Any, np.ndarray]:
    """Return a draw of cells whose batches have enough of them, and their types."""
    options = DATASETS[dataset]
    adata = load(dataset, n_genes=options["n_genes"])
    labels = adata.obs[options.get("labels", "cell_type")].astype(str).to_numpy()
    rows = np.sort(np.random.default_rng(seed).permutation(adata.n_obs)[:limit])
    batch = adata.obs["batch"].astype(str).to_numpy()[rows]
    names, sizes = np.unique(batch, return_counts=True)
    rows = rows[np.isin(batch, names[sizes >= LEAST_CELLS])]
    adata = adata[rows].copy()
    adata.obs["truth"] = labels[rows]
    return adata, labels[rows]


def rare_purity(codes: np.ndarray, labels: np.ndarray) -> float:
    """Mean purity of the neighbours of the cells of the rarest types."""
    from sklearn.neighbors import NearestNeighbors

    sizes = pd.Series(labels).value_counts()
    rare = sizes[sizes >= N_NEIGHBORS].index[-N_RARE:]
    near = NearestNeighbors(n_neighbors=N_NEIGHBORS + 1).fit(codes).kneighbors(codes, return_distance=False)[:, 1:]
    return float(np.mean([(labels[near[labels == name]] == name).mean() for name in rare]))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Recommended, default and best value of each sweep, by measures that see labels."""
    rows = []
    for (dataset, method, seed), own in table.groupby(["dataset", "method", "seed"], sort=False):
        # Without a batch effect nothing of it is left, and that is no number.
        known = own[own["reason"].astype(str) == "none"]
        chosen, usual = (known[is_true(known[name])] for name in ("recommended", "default"))
        row = {"dataset": dataset, "method": method, "seed": seed, "n": len(known)}
        for name, one in (("auto", chosen), ("default", usual)):
            row |= {f"{name}_value": one["value"].iloc[0] if len(one) else "none"}
            row |= {f"{name}_{score}": one[score].mean() for score in ("batch_left", "structure_kept", *SCORES)}
        row |= {f"best_{score}": known[score].max() for score in SCORES}
        rows.append(row | {"alarms": int((known["alarm"] > 0.5).sum()), "seconds": own["seconds"].sum()})
    return pd.DataFrame(rows)


def is_true(column: pd.Series) -> pd.Series:
    return column.astype(str).isin(["True", "1", "1.0"])


def draw(table: pd.DataFrame) -> None:
    """Each data set's sweeps in the plane of what is left and kept; recommended values ringed, alarms crossed out."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    datasets = list(dict.fromkeys(table["dataset"]))
    columns = min(3, len(datasets))
    lines = -(-len(datasets) // columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(4.2 * columns, 3.6 * lines), squeeze=False, constrained_layout=True
    )
    methods = [method for method in METHODS if method in set(table["method"])]
    colors = dict(zip(methods, plt.get_cmap("tab10").colors, strict=False))
    for ax in grid.ravel()[len(datasets) :]:
        ax.set_axis_off()
    for ax, dataset in zip(grid.ravel(), datasets, strict=False):
        first = table[(table["dataset"] == dataset) & (table["seed"] == table["seed"].min())]
        if first["batch_left"].isna().all():
            ax.text(0.5, 0.5, "no batch effect shown", transform=ax.transAxes, ha="center", fontsize=8)
        for method in methods:
            own = first[(first["method"] == method) & first["batch_left"].notna()]
            ax.plot(own["batch_left"], own["structure_kept"], "o-", ms=3.5, lw=0.9, color=colors[method], label=method)
            rung, chosen = own[own["alarm"] > 0.5], own[is_true(own["recommended"])]
            ax.plot(rung["batch_left"], rung["structure_kept"], "x", ms=6, mew=0.9, color="black")
            ax.plot(chosen["batch_left"], chosen["structure_kept"], "o", ms=9, mfc="none", color=colors[method])
        ax.set_title(dataset, fontsize=9, loc="left")
        ax.set_xlabel("batch left (%)", fontsize=8)
        ax.set_ylabel("structure kept (%)", fontsize=8)
        ax.tick_params(labelsize=7)
    grid[0, 0].legend(fontsize=6.5, frameon=False)
    figure.savefig(FIGURE, dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    main()
