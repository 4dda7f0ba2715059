"""Types of one batch alone: kept at equal mixing of the shared types, if training stays within shared populations?

Claim under test: with ``given="populations"``, the default where batches hold unlike cells, a front keeps the types
that only one batch holds better than one that mixes all cells, where both mix the shared types equally.

    python experiments/within_populations.py --setting small --seeds 3 --jobs 2 --resume

Real cells. Where batches lack types, these are the truth (pancreas across species, retina across regions, a chimera);
in the other sets one type is taken out of all batches but one, or two. Each seed trains both fronts. Seen by labels
that no training saw: ``mixing``, the entropy of the batches among neighbours within each shared type, as a share of
what random neighbours would have; ``purity``, the share of the 15 neighbours of a type's cells that are of this type.
Writes results/within_populations.csv, one row per point and type of one batch (point -1: scvi-tools' SCVI; -2:
components). ``summary`` compares the curves at equal mixing, the highest that both fronts reach.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from shared import RESULTS, load, plain_scvi, run_missing

POINTS = RESULTS / "within_populations.csv"
KEYS = ("setting", "dataset", "seed")
LEAST_CELLS, N_NEIGHBORS, COMPONENTS, SCVI = 20, 15, -2, -1
VARIANTS: dict[str, dict[str, Any]] = {
    "all cells": {"objective_kwargs": {"given": None}},
    "populations": {"objective_kwargs": {"given": "populations"}},
}
DATASETS: dict[str, dict[str, Any]] = {
    "pancreas_baron_orthologues": {"n_genes": 2000},
    "retina_fovea_periphery": {"n_genes": 2000, "labels": "cell_type_fine"},
    "tal1_chimera": {"n_genes": 300},
    "pbmc_multistudy": {"n_genes": 1000, "only": {"NK": ["10x_8K", "SRR11038995"]}},
    "celllines_3protocols": {"n_genes": 889, "only": {"HCC827": ["10x"]}},
}
"""Genes, the column with the truth, and types that are kept in some batches alone."""
SETTINGS = {"small": 2500, "full": 10_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=list(DATASETS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--pictures", type=Path, help="folder for the plane of each front")
    arguments = parser.parse_args()
    runs = [(arguments.setting, name, seed) for seed in range(arguments.seeds) for name in arguments.datasets]
    table = run_missing(Training(arguments.pictures), runs, KEYS, POINTS, jobs=arguments.jobs, resume=arguments.resume)
    print(summary(table).to_string(index=False, float_format="%.1f"))


class Training:
    """Both fronts of one draw."""

    def __init__(self, pictures: Path | None) -> None:
        self.pictures = pictures

    def __call__(self, setting: str, dataset: str, seed: int) -> pd.DataFrame:
        """Train, and see all points by labels."""
        import scpareto as sp
        from scpareto._cells import principal_components

        adata, labels = cells_of(dataset, SETTINGS[setting], seed)
        batch = adata.obs["batch"].astype(str).to_numpy()
        rows = [see(principal_components(adata.X, counts=True), batch, labels).assign(point=COMPONENTS)]
        rows += [see(plain_scvi(adata, seed), batch, labels).assign(point=SCVI)]
        for variant, options in VARIANTS.items():
            sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
            model = sp.model.ParetoVI(adata, seed=seed)
            begun = time.process_time()
            model.train(progress=False, **options)
            seconds, judged = time.process_time() - begun, model.front.table.set_index("point")
            if self.pictures is not None:
                self.pictures.mkdir(parents=True, exist_ok=True)
                sp.pl.front(model.front).figure.savefig(
                    self.pictures / f"{dataset}_{seed}_{variant}.png", dpi=80, bbox_inches="tight"
                )
            for number in model.front.numbers:
                with model.at(number):
                    seen = see(model.get_latent_representation(), batch, labels)
                own = judged.loc[number, ["batch_left", "structure_kept", "alarm"]].to_dict()
                chosen = number == model.front.recommended
                rows.append(seen.assign(variant=variant, point=number, recommended=chosen, seconds=seconds, **own))
        return pd.concat(rows, ignore_index=True).assign(setting=setting, dataset=dataset, seed=seed)


def cells_of(dataset: str, limit: int, seed: int) -> tuple[Any, np.ndarray]:
    """Return a draw of cells and their types, some of which are kept in few batches only."""
    options = DATASETS[dataset]
    adata = load(dataset, n_genes=options["n_genes"])
    labels = adata.obs[options.get("labels", "cell_type")].astype(str).to_numpy()
    kept = np.ones(adata.n_obs, dtype=bool)
    for name, batches in options.get("only", {}).items():
        kept &= (labels != name) | adata.obs["batch"].astype(str).isin(batches).to_numpy()
    rows = np.sort(np.random.default_rng(seed).permutation(np.flatnonzero(kept))[:limit])
    return adata[rows].copy(), labels[rows]


def see(codes: np.ndarray, batch: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Mixing within types that batches share, and purity of each type that half of the batches, or more, lack."""
    from sklearn.neighbors import NearestNeighbors

    from scpareto.metrics import graph_mixing

    sizes = pd.crosstab(labels, batch)
    held = (sizes > 0.01 * sizes.sum(axis=1).to_numpy()[:, None]).sum(axis=1)
    missing = sizes.index[(held <= sizes.shape[1] / 2) & (sizes.sum(axis=1) >= LEAST_CELLS)]
    shared = sizes.index[(sizes >= LEAST_CELLS).sum(axis=1) >= 2].difference(missing)
    number = pd.Index(shared).get_indexer(labels)
    mixing = graph_mixing(batch, number, codes=codes, n_neighbors=N_NEIGHBORS).value
    near = NearestNeighbors(n_neighbors=N_NEIGHBORS + 1).fit(codes).kneighbors(codes, return_distance=False)[:, 1:]
    pure = (labels[near] == labels[:, None]).mean(axis=1)
    rest = 100 * float(pure[number >= 0].mean())
    rows = [
        {"type": name, "n_cells": int((labels == name).sum()), "purity": 100 * float(pure[labels == name].mean())}
        for name in missing
    ]
    return pd.DataFrame(rows).assign(mixing=mixing, purity_shared=rest)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Purity of the types of one batch at equal mixing: the highest that both fronts reach, and half way there."""
    rows = []
    for (dataset, seed), runs in table.groupby(["dataset", "seed"], sort=False):
        curves = {v: curve(runs[runs["variant"] == v]) for v in VARIANTS}
        reached = min(c.index.max() for c in curves.values())
        start = max(c.index.min() for c in curves.values())
        rows.append(
            {
                "dataset": dataset,
                "seed": seed,
                "mixing": reached,
                **{v: at(c, reached) for v, c in curves.items()},
                **{f"{v}, half way": at(c, (reached + start) / 2) for v, c in curves.items()},
                **{f"{v}, recommended": pick(runs, v) for v in VARIANTS},
                "SCVI": runs.loc[runs["point"] == SCVI, "purity"].mean(),
                "components": runs.loc[runs["point"] == COMPONENTS, "purity"].mean(),
            }
        )
    return pd.DataFrame(rows)


def curve(runs: pd.DataFrame) -> pd.Series:
    """Mean purity over types by mixing, in the order of mixing."""
    own = runs.groupby("point")[["mixing", "purity"]].mean().sort_values("mixing")
    return pd.Series(own["purity"].to_numpy(), index=own["mixing"].to_numpy())


def at(known: pd.Series, mixing: float) -> float:
    return float(np.interp(mixing, known.index, known.to_numpy()))


def pick(runs: pd.DataFrame, variant: str) -> float:
    own = runs[(runs["variant"] == variant) & runs["recommended"].astype(str).eq("True")]
    return float(own["purity"].mean())


if __name__ == "__main__":
    main()
