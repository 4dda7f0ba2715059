"""Whether probes may be trained on codes of cells that trained the encoder, where held-out cells are judged.

Claim under test: ``batch_left`` of held-out cells is the same, within its interval, whether codes of training cells
help to train the probes, codes of other held-out cells do, or none.

SCVI is trained on a part of the cells of a real set (the folder is named by SCPARETO_TEST_DATA); 30 % are judged, the
same in all rows. With 70 % of the cells for training all others are judged, by probes that train on the judged cells
and on all training cells, or on the judged ones alone. These differ in the number of cells, too: with 35 % for training
as many cells are left that are neither judged nor trained on, and help instead. ``longer`` has five times the epochs.
The reference is 30 principal components of all cells, with populations that were found in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from shared import load

from calibration.sensitivity import N_CLUSTERS, N_GENES, components_of

SEEDS = 2
JUDGED = 0.3
EPOCHS, LONGER = {"small": 80, "full": 400}, 5
DATASETS = ("pbmc_multistudy", "celllines_3protocols")
CASES: dict[str, tuple[str, float, int]] = {
    f"{dataset}: {share:.0%} train{', longer' if times > 1 else ''}": (dataset, share, times)
    for share, times in ((0.7, 1), (0.35, 1), (0.35, LONGER))
    for dataset in DATASETS
}


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """One training, one row per set of cells whose codes helped to train the probes."""
    from scpareto.metrics import batch_left, shared_populations

    dataset, share, times = CASES[case]
    adata = load(dataset, n_genes=N_GENES)
    batch = adata.obs["batch"].astype(str).to_numpy()
    components = components_of(dataset)[0]
    populations = shared_populations(components, batch, n_clusters=N_CLUSTERS, seed=seed).labels
    part = dealt(batch, (JUDGED, share), np.random.default_rng([seed, 7]))
    judged, training = part == 0, part == 1
    codes = {"components": components, "scvi": trained_codes(adata, training, times * EPOCHS[setting], seed)}
    helped = {"training cells": judged | training, "none": judged}
    if (part == 2).any():
        helped["other held-out cells"] = judged | (part == 2)
    rows = []
    for name, used in helped.items():
        found = batch_left(
            {key: of[used] for key, of in codes.items()},
            reference="components",
            batch=batch[used],
            populations=populations[used],
            cells=judged[used],
            seed=seed,
        )
        own = found.table.loc["scvi", ["information", "batch_left", "low", "high"]]
        reference = float(found.table.loc["components", "information"])
        rows.append({"helped_by": name, "n_judged": judged.sum(), "n_used": used.sum(), "reference": reference, **own})
    return pd.DataFrame(rows).assign(setting=setting, case=case, seed=seed)


def dealt(batch: np.ndarray, shares: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """Part of each cell: 0 and 1 have these shares of every batch, 2 the rest."""
    part = np.full(len(batch), len(shares))
    for own in np.unique(batch):
        rows = rng.permutation(np.flatnonzero(batch == own))
        ends = np.round(np.cumsum(shares) * len(rows)).astype(int)
        for number, (begin, end) in enumerate(zip((0, *ends), ends, strict=False)):
            part[rows[begin:end]] = number
    return part


def trained_codes(adata: Any, training: np.ndarray, max_epochs: int, seed: int) -> np.ndarray:
    """Means of the codes of all cells, of an SCVI that has seen the training cells."""
    import scvi
    import torch

    torch.set_num_threads(1)
    scvi.settings.seed = seed
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    seen = adata[training].copy()
    scvi.model.SCVI.setup_anndata(seen, batch_key="batch")
    model = scvi.model.SCVI(seen)
    model.train(
        max_epochs=max_epochs,
        train_size=1.0,
        batch_size=128,
        accelerator="cpu",
        enable_progress_bar=False,
        logger=False,
        enable_model_summary=False,
    )
    return np.asarray(model.get_latent_representation(adata), dtype=np.float64)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """All rows, with what is found more than without other cells, and than with other held-out cells."""
    keys = ["setting", "case", "seed"]
    for name, column in (("none", "more_than_none"), ("other held-out cells", "more_than_unseen")):
        other = table[table["helped_by"] == name].set_index(keys)["batch_left"]
        table[column] = table["batch_left"] - other.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy()
    return table.sort_values(keys)
