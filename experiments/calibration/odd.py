"""Codes with which a judge must not be fooled.

Claims under test: random and constant codes, and codes of types alone, have nothing left of the batch; the identity has
100 %, with an interval of no width; components of one batch, and one dimension that tells nothing, are judged like any
other codes. Codes that do not tell types apart are said to have erased the composition, others are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .simulated import N_TYPES, SETTINGS, SHIFT, simulate

if TYPE_CHECKING:
    import pandas as pd

SEEDS = 10
CASES: dict[str, dict[str, Any]] = {
    "equal": {},
    "unequal": {"unequal": True},
}


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """One draw of cells, one row per odd embedding."""
    from scpareto.metrics import batch_left

    rng = np.random.default_rng([seed, 2])
    cells = simulate(SETTINGS[setting], rng, shift=SHIFT, n_batches=2, **CASES[case])
    batch, types, reference = cells["batch"], cells["types"], cells["pure"] + cells["effect"]
    first = reference[batch == 0] - reference[batch == 0].mean(axis=0)
    of_first = np.linalg.svd(first, full_matrices=False)[2][:2]
    odd = {
        "identity": reference.copy(),
        "random": rng.normal(size=reference.shape),
        "constant": np.zeros((len(reference), 2)),
        "types alone": np.eye(N_TYPES)[types],
        "components of one batch": reference @ of_first.T,
        "one dimension": reference[:, :1],
    }
    found = batch_left(odd, reference=reference, batch=batch, populations=types, seed=seed).table
    columns = ["batch_left", "low", "high", "graph_mixing", "marginal", "composition", "composition_erased"]
    rows = found.loc[list(odd), columns].rename_axis("codes").reset_index()
    return rows.assign(setting=setting, case=case, seed=seed)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean, farthest value from zero, and how often the composition is said to be erased."""
    grouped = table.groupby(["setting", "case", "codes"], sort=False)
    return grouped.agg(
        n=("seed", "size"),
        batch_left=("batch_left", "mean"),
        least=("batch_left", "min"),
        most=("batch_left", "max"),
        high=("high", "mean"),
        graph_mixing=("graph_mixing", "mean"),
        composition_erased=("composition_erased", "mean"),
    ).reset_index()
