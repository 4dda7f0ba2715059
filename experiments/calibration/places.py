"""Part j: false alarms along a path, at 12 and at 31 judged places, where batches differ in nothing.

Cells of one real batch are dealt at random into two, as in part b, and a default front is trained on them. Its path is
judged at evenly spaced places against its first one, as the points of a front are. Nothing that batches differ in is
there to be lost, and ``purity`` of known types says whether anything was: the most that any type of at least 20 cells
loses of its pure neighbourhoods between the first place and another, of 1, where the set has labels.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from calibration.null import CASES as ALL_CASES
from calibration.null import SETTINGS

SEEDS = 2
PLACES = {"12": 12, "31": 31}
N_GENES, LEAST_CELLS, N_NEIGHBORS = 1000, 20, 15
CASES: dict[str, dict[str, Any]] = {
    name: ALL_CASES[name]
    for name in (
        "retina, a peripheral sample",
        "human islets",
        "mouse islets",
        "sorted blood",
        "myeloid progenitors",
        "worm neurons",
        "blood, a donor",
        "chimera, a sample",
    )
}


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """Train a front on one deal of the cells of one batch, and judge its path at 12 and at 31 places."""
    import scpareto as sp
    from scpareto.audit import build_frame, judge_embeddings

    adata = dealt(CASES[case], SETTINGS[setting], np.random.default_rng([seed, list(ALL_CASES).index(case)]))
    sp.model.ParetoVI.setup_anndata(adata, batch_key="deal")
    model = sp.model.ParetoVI(adata, seed=seed)
    model.train(progress=False)
    batch = adata.obs["deal"].astype(str).to_numpy()
    rows = []
    for name, n in PLACES.items():
        codes = {}
        for t in np.linspace(0, 1, n):
            with model.at(preference=[1 - t, t]):
                codes[f"{t:.3f}"] = model.get_latent_representation()
        frame = build_frame(adata.X, batch, is_counts=True, genes=list(adata.var_names), seed=seed)
        begun = time.process_time()
        found = judge_embeddings(frame, codes, alarm_reference="0.000", marginal=False, n_bootstrap=50).lost
        # The components are judged beside the places, and are none.
        table = found.table[found.table["embedding"].isin(list(codes))]
        told = [found.value[place] for place in codes if place in found.value]
        rings = [bool(value) for value in told if value == value]
        loudest = table.sort_values("statistic", na_position="first").iloc[-1]
        rows.append(
            {
                "places": name,
                "rings": any(rings),
                "n_rings": sum(rings),
                "p_adjusted": table["p_adjusted"].min(),
                **{c: loudest[c] for c in ("embedding", "contrast", "kind", "n_first", "n_second", "lost")},
                "purity": lost_purity(codes, adata.obs.get("cell_type")),
                "n_cells": adata.n_obs,
                "seconds": time.process_time() - begun,
                "rings_in_the_front": bool((model.front.table["alarm"] == 1).any()),
            }
        )
    return pd.DataFrame(rows).assign(setting=setting, case=case, seed=seed)


def dealt(case: dict[str, Any], limit: int, rng: np.random.Generator) -> Any:
    """Return the variable genes of cells of one batch, dealt at random into two."""
    import scanpy as sc
    import torch
    from shared import data_folder

    adata = sc.read_h5ad(data_folder() / f"{case['dataset']}.h5ad")
    if "where" in case:
        adata = adata[adata.obs[case["where"][0]].astype(str) == case["where"][1]]
    adata = adata[rng.permutation(adata.n_obs)[:limit]].copy()
    sc.pp.filter_cells(adata, min_counts=20)
    logged = adata.copy()
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    sc.pp.highly_variable_genes(logged, n_top_genes=min(N_GENES, adata.n_vars // 2))
    # numba has raised the number of threads that torch shares.
    torch.set_num_threads(1)
    adata = adata[:, logged.var["highly_variable"].to_numpy()].copy()
    adata = adata[adata.X.sum(axis=1).A1 > 0].copy()
    adata.obs["deal"] = rng.permutation(np.arange(adata.n_obs) % 2).astype(str)
    return adata


def lost_purity(codes: dict[str, np.ndarray], types: Any) -> float:
    """Return the most that a known type loses of its pure neighbourhoods against the first place."""
    from sklearn.neighbors import NearestNeighbors

    if types is None:
        return np.nan
    labels = types.astype(str).to_numpy()
    names, sizes = np.unique(labels, return_counts=True)
    pure = []
    for z in codes.values():
        near = NearestNeighbors(n_neighbors=N_NEIGHBORS + 1).fit(z).kneighbors(z, return_distance=False)[:, 1:]
        same = (labels[near] == labels[:, None]).mean(axis=1)
        pure.append([same[labels == name].mean() for name in names[sizes >= LEAST_CELLS]])
    return float((pure[0] - np.array(pure)).max())


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """How often the alarm rings anywhere along a path, at 12 and at 31 places."""
    from scipy.stats import beta

    rows = []
    for places, runs in table.groupby("places"):
        n, false = len(runs), int(runs["rings"].sum())
        rows.append(
            {
                "places": places,
                "paths": n,
                "ring": false,
                "up to": beta.ppf(0.975, false + 1, n - false) if false < n else 1.0,
                "lost purity where it rings": runs.loc[runs["rings"].astype(bool), "purity"].mean(),
                "lost purity elsewhere": runs.loc[~runs["rings"].astype(bool), "purity"].mean(),
                "seconds": runs["seconds"].mean(),
            }
        )
    return pd.DataFrame(rows)
