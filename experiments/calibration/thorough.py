"""What all kinds of probes at three resolutions say more than the default, on seven studies of blood cells.

Claim under test: the default (one kind of probe, one resolution, two repeats) reads what ``thorough=True`` reads,
within its intervals. Judged, against 30 principal components of 2,000 genes: components without the mean of each
batch, and after Harmony. ``left_8`` to ``left_20`` are what is left with as many clusters of each batch; ``nats_``
columns what each kind of probe finds. All cells in both settings. Needs harmonypy, and the folder named by
SCPARETO_TEST_DATA.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.real_cells import centred, harmonised
from calibration.sensitivity import N_CLUSTERS, components_of

if TYPE_CHECKING:
    import pandas as pd

SEEDS = 2
DATASET = "pbmc_multistudy"
RESOLUTIONS = (8, 12, 20)
CASES: dict[str, bool] = {"default": False, "thorough": True}


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """One row per embedding."""
    from scpareto.metrics import batch_left, populations_at_resolutions

    components, batch = components_of(DATASET)
    codes = {"components": components, "centred": centred(components, batch), "harmony": harmonised(components, batch)}
    resolutions = RESOLUTIONS if CASES[case] else (N_CLUSTERS,)
    begun, processor = time.perf_counter(), time.process_time()
    found = batch_left(
        codes,
        reference="components",
        batch=batch,
        populations=populations_at_resolutions(components, batch, n_clusters=resolutions, seed=seed),
        thorough=CASES[case],
        seed=seed,
    )
    elapsed, processor = time.perf_counter() - begun, time.process_time() - processor
    rows = found.table[["batch_left", "low", "high", "sd_resolutions", "kind"]]
    # A number, and missing with one kind of probe.
    rows = rows.assign(plateau=found.table["plateau"].astype(float))
    rows = rows.join(found.kinds.add_prefix("nats_")).join(left_at(found.populations, resolutions))
    rows = rows.rename_axis("embedding").reset_index()
    return rows.assign(setting=setting, case=case, seed=seed, n_cells=len(batch), seconds=processor, elapsed=elapsed)


def left_at(populations: pd.DataFrame, resolutions: tuple[int, ...]) -> pd.DataFrame:
    """What is left at each resolution, from what is found in its populations."""
    nats = populations.assign(nats=populations["n_cells"] * populations["information"])
    summed = nats.groupby(["embedding", "resolution"])["nats"].sum().unstack()
    left = 100 * summed / summed.loc["components"]
    return left.rename(columns=lambda r: f"left_{resolutions[r]}").rename_axis(columns=None)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """One row per embedding and case: means over seeds, ``plateau`` the share of seeds that reach one."""
    numbers: dict[str, Any] = {name: "mean" for name in table.select_dtypes(np.number) if name != "seed"}
    numbers["kind"] = lambda kinds: ", ".join(sorted(set(kinds)))
    return table.groupby(["setting", "case", "embedding"], sort=False).agg(numbers).reset_index()
