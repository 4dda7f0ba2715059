"""Part h: intervals for cells that a retrained model has not seen, against what the model does to many more cells.

Each seed draws cells anew and trains scvi-tools' SCVI anew. 1,200 held-out cells are judged; the truth is what one
reads on several times as many further cells of the same simulation. So
training, its cells and the judged cells all vary, and the interval must cover what this very model leaves of the batch.
``with_batch`` is SCVI as users train it, ``blind`` one whose decoder does not see the batch. The types are known. The
reference is one set of components of all cells, the same for both.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

SEEDS = 20
SETTINGS: dict[str, dict[str, int]] = {
    "small": {"n_train": 1200, "n_judged": 1200, "n_truth": 8000, "n_genes": 200, "epochs": 100},
    "full": {"n_train": 4000, "n_judged": 4000, "n_truth": 40_000, "n_genes": 1000, "epochs": 100},
}
CASES: dict[str, dict[str, Any]] = {
    "weak effect": {"batch_strength": 0.5},
    "strong effect": {"batch_strength": 1.5},
}


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """Train once, judge on few cells and on many; one row per model."""
    from scpareto.datasets import simulate_batches
    from scpareto.metrics import batch_left

    size = SETTINGS[setting]
    n_cells = size["n_train"] + size["n_judged"] + size["n_truth"]
    cells = simulate_batches(n_cells, size["n_genes"], n_batches=2, counts_per_gene=1.0, seed=seed, **CASES[case])
    order = np.random.default_rng(seed).permutation(n_cells)
    cells = cells[order].copy()
    train, judged, truth = np.split(np.arange(n_cells), np.cumsum([size["n_train"], size["n_judged"]]))
    codes = {"reference": components_of(cells.X)}
    codes |= {
        name: trained(cells, train, size["epochs"], seed, name == "with_batch") for name in ("with_batch", "blind")
    }
    batch = cells.obs["batch"].astype(str).to_numpy()
    types = cells.obs["cell_type"].cat.codes.to_numpy().astype(int)
    begun = time.process_time()
    found, wanted = (
        batch_left(
            {name: z[rows] for name, z in codes.items()},
            reference="reference",
            batch=batch[rows],
            populations=types[rows],
            seed=own_seed,
        )
        for rows, own_seed in ((judged, seed), (truth, 1000 + seed))
    )
    seconds = time.process_time() - begun
    rows = found.table.loc[["with_batch", "blind"], ["batch_left", "low", "high", "no_batch_effect"]].copy()
    for column, ours in (("batch_left", "true"), ("low", "true_low"), ("high", "true_high")):
        rows[ours] = wanted.table.loc[rows.index, column]
    return rows.rename_axis("embedding").reset_index().assign(setting=setting, case=case, seed=seed, seconds=seconds)


def components_of(counts: Any) -> np.ndarray:
    """Return components of log-normalised counts of all cells."""
    from scpareto._cells import principal_components

    return principal_components(counts, counts=True)


def trained(cells: Any, train: np.ndarray, epochs: int, seed: int, with_batch: bool) -> np.ndarray:
    """Return the codes of all cells under scvi-tools' SCVI, trained on some."""
    import logging

    import scvi

    scvi.settings.seed = seed
    logging.getLogger("scvi").setLevel(logging.ERROR)
    own = cells[train].copy()
    scvi.model.SCVI.setup_anndata(own, batch_key="batch" if with_batch else None)
    model = scvi.model.SCVI(own)
    model.train(max_epochs=epochs, accelerator="cpu", enable_progress_bar=False, logger=False)
    return model.get_latent_representation(cells.copy())


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Bias, scatter between models and coverage, for each case and model."""
    rows = []
    for (setting, case, name), runs in table.groupby(["setting", "case", "embedding"], sort=False):
        # The truth is an estimate too: its own half width is added in squares.
        half = (runs["high"] - runs["low"]) / 2
        both = np.hypot(half, (runs["true_high"] - runs["true_low"]) / 2)
        middle = (runs["high"] + runs["low"]) / 2
        rows.append(
            {
                "setting": setting,
                "case": case,
                "embedding": name,
                "n": len(runs),
                "true": runs["true"].mean(),
                "true_scatter": runs["true"].std(),
                "found": runs["batch_left"].mean(),
                "covered": ((runs["low"] <= runs["true"]) & (runs["true"] <= runs["high"])).mean(),
                "covered_with_error_of_truth": ((middle - runs["true"]).abs() <= both).mean(),
                "too_low": (runs["high"] < runs["true"]).mean(),
                "too_high": (runs["low"] > runs["true"]).mean(),
                "width": 2 * half.mean(),
                "seconds": runs["seconds"].mean(),
            }
        )
    return pd.DataFrame(rows)
