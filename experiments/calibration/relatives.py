"""Part i: a type that one batch alone has is laid onto its nearest relative in the other batches.

Simulated cells of three batches, with effects that differ between types: where populations are matched by clusters,
these look like what tells a type from its relative. ``truth`` is the alarm that knows the types; ``alarm`` is what
users get, and ``labels`` the alarm if weak matches are believed. Judged against components: Harmony as it is
(``sound``, which may have lost something all the same: ``truth`` says so), and with the type moved (``merged``).
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from calibration.real_cells import harmonised

SEEDS = 10
SETTINGS = {"small": 2000, "full": 6000}
CASES: dict[str, dict[str, float]] = {
    "effect of 1": {"batch_strength": 1.0},
    "effect of 1.5": {"batch_strength": 1.5},
}
N_COMPONENTS, NOISE = 30, 0.1


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """Judge one draw of cells in three ways; one row for each embedding."""
    from scpareto._cells import principal_components
    from scpareto.datasets import simulate_batches
    from scpareto.metrics import lost_contrasts, shared_populations

    cells = simulate_batches(SETTINGS[setting], 500, unique_types=1, type_strength=1.5, seed=200 + seed, **CASES[case])
    batch = cells.obs["batch"].astype(str).to_numpy()
    types = cells.obs["cell_type"].cat.codes.to_numpy().astype(int)
    alone = types == types.max()
    components = principal_components(cells.X, counts=True)[:, :N_COMPONENTS]
    sound = harmonised(components, batch)
    rng = np.random.default_rng(seed)
    onto = rng.choice(np.flatnonzero((types == types.max() - 1) & (batch != batch[alone][0])), alone.sum())
    merged = sound.copy()
    merged[alone] = sound[onto] + NOISE * sound.std(axis=0) * rng.normal(size=(alone.sum(), sound.shape[1]))
    codes = {"components": components, "sound": sound, "merged": merged}
    found = shared_populations(components, batch)
    ways: dict[str, dict[str, Any]] = {
        "truth": {"populations": np.where(alone, -1, types)},
        "labels": {"populations": found.labels},
        "alarm": {"populations": found.labels, "confident_populations": found.confident_labels},
    }
    begun = time.process_time()
    rang = {
        way: lost_contrasts(cells.X, codes, batch, reference="components", **how).value for way, how in ways.items()
    }
    seconds = time.process_time() - begun
    keys = {"setting": setting, "case": case, "seed": seed}
    rows = [keys | {"embedding": n, **{way: rang[way][n] for way in ways}} for n in ("sound", "merged")]
    return pd.DataFrame(rows).assign(n_alone=int(alone.sum()), seconds=seconds)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """How often each way rings where the alarm that knows the types rings, and where it does not."""
    rows = []
    for name, some in table.groupby("embedding"):
        for rings, part in some.groupby("truth"):
            what = {"embedding": name, "truth": "rings" if rings else "silent", "n": len(part)}
            rows.append(what | {f"{way} rings": int(part[way].sum()) for way in ("labels", "alarm")})
    return pd.DataFrame(rows)
