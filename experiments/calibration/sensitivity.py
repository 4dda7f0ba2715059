"""How much the numbers of ``batch_left`` depend on its settings, on real cells.

There is no truth here; a number that can be used changes little. Two sets (the folder is named by SCPARETO_TEST_DATA),
with 30 principal components of 2,000 genes as reference. Judged are its first ten, the components with the mean of each
batch taken away, and half of that correction. Changed, one at a time: clusters of each batch from which populations are
made, the kind of probe, and the number of cells, with populations held fixed. Margins need no runs of their own:
``reference_low`` is the margin up to which there is a batch effect to remove.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from shared import load

SEEDS = 1
DATASETS = ("pbmc_multistudy", "retina_fovea_periphery")
N_GENES, N_COMPONENTS, N_CLUSTERS = 2000, 30, 12
MOST_CELLS = {"small": 2000, "full": 20_000}
MARGINS = (0.5, 1.0, 2.0, 5.0)
CHANGED: dict[str, dict[str, Any]] = {
    "as by default": {},
    "8 clusters": {"n_clusters": 8},
    "20 clusters": {"n_clusters": 20},
    "linear": {"kind": "linear"},
    "wide network": {"kind": "wide network"},
    "neighbors": {"kind": "neighbors"},
    "half of the cells": {"share": 0.5},
    "quarter of the cells": {"share": 0.25},
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    f"{dataset}: {name}": (dataset, changed) for dataset in DATASETS for name, changed in CHANGED.items()
}


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """One row per embedding."""
    from scpareto.metrics import batch_left, shared_populations

    dataset, changed = CASES[case]
    components, batch = components_of(dataset)
    populations = shared_populations(components, batch, n_clusters=changed.get("n_clusters", N_CLUSTERS), seed=seed)
    means = pd.DataFrame(components).groupby(batch).transform("mean").to_numpy()
    embeddings = {
        "components": components,
        "ten components": components[:, :10],
        "half centred": components - means / 2,
        "centred": components - means,
    }
    # The same cells for all settings; a half is a part of the whole, and a quarter of the half.
    order = np.random.default_rng([seed, 3]).permutation(len(batch))
    n_cells = int(changed.get("share", 1.0) * min(len(batch), MOST_CELLS[setting]))
    kept = np.sort(order[:n_cells])
    found = batch_left(
        {name: codes[kept] for name, codes in embeddings.items()},
        reference="components",
        batch=batch[kept],
        populations=populations.labels[kept],
        kinds=[changed.get("kind", "network")],
        max_cells=MOST_CELLS["full"],
        seed=seed,
    )
    rows = found.table[["information", "batch_left", "low", "high"]].rename_axis("embedding").reset_index()
    reference_low = 100 * found.table.loc["components", "information_low"] / found.entropy
    return rows.assign(n_cells=n_cells, reference_low=reference_low, setting=setting, case=case, seed=seed)


@lru_cache(maxsize=1)
def components_of(dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Principal components of log-normalised counts, and the batches."""
    import scanpy as sc

    adata = load(dataset, n_genes=N_GENES)
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.pca(adata, n_comps=N_COMPONENTS, random_state=0)
    return adata.obsm["X_pca"].astype(np.float64), adata.obs["batch"].astype(str).to_numpy()


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """One row per change: what is left in each embedding, and whether there is an effect at each margin."""
    keys = ["setting", "case", "n_cells"]
    wide = table.pivot_table(index=keys, columns="embedding", values="batch_left", sort=False)
    reference = table[table["embedding"] == "components"].groupby(keys, sort=False)
    wide["nats"] = reference["information"].mean()
    for margin in MARGINS:
        wide[f"effect at {margin:g} %"] = reference["reference_low"].min() >= margin
    return wide.reset_index()
