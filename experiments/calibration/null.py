"""Part b: one real batch dealt at random into two. No embedding has lost anything, and there is no batch effect.

Judged, against 30 components of the variable genes: components in another number, without the mean of each half, after
Harmony, and turned and scaled. ``rings``: the alarm rings for any of these, which have lost nothing.
``no_batch_effect``: the judge says that there is nothing to remove. Beside them, in the same call, ``blurred``: noise
of half the standard deviation of the last component. It was meant as a null and is none: where it rang, fresh draws of
the noise lost .22 to .29 of the same contrast, and noise of a fifth instead of a half lost at most .07.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from calibration.real_cells import centred, harmonised, real_cells

KEYS = ("setting", "case", "seed")
UNHARMED = ("fewer", "centred", "harmony", "turned")
SETTINGS = {"small": 1500, "full": 4000}
CASES: dict[str, dict[str, Any]] = {
    "retina, a peripheral sample": {"dataset": "retina_fovea_periphery", "where": ("sample", "peripheral_d1")},
    "retina, a foveal sample": {"dataset": "retina_fovea_periphery", "where": ("sample", "fovea_d1")},
    "human islets": {"dataset": "pancreas_baron_orthologues", "where": ("donor", "human3")},
    "mouse islets": {"dataset": "pancreas_baron_orthologues", "where": ("donor", "mouse2")},
    "sorted blood": {"dataset": "pbmc_facs"},
    "mouse bladder": {"dataset": "mouse_bladder_2100"},
    "myeloid progenitors": {"dataset": "paul15_myeloid"},
    "worm neurons": {"dataset": "worm_neuron"},
    "blood, a donor": {"dataset": "kang_ifnb_pbmc", "where": ("batch", "donor101")},
    "glioblastoma, a patient": {"dataset": "glioblastoma_panobinostat", "where": ("batch", "PW030")},
    "cell lines, 10x": {"dataset": "celllines_3protocols", "where": ("batch", "10x")},
    "chimera, a sample": {"dataset": "tal1_chimera", "where": ("batch", "4")},
}


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """Judge one deal of the cells of one batch into two; one row."""
    from scpareto.metrics import batch_left, lost_contrasts, populations_at_resolutions, shared_populations

    rng = np.random.default_rng([seed, list(CASES).index(case)])
    cells = real_cells(CASES[case]["dataset"], SETTINGS[setting], rng=rng, where=CASES[case].get("where"))
    batch = rng.permutation(np.arange(len(cells.components)) % 2).astype(str)
    codes = {"components": cells.components} | embeddings_of(cells.components, batch, rng)
    begun = time.perf_counter()
    shared = shared_populations(cells.components, batch, seed=seed)
    found = lost_contrasts(
        cells.counts,
        codes,
        batch,
        reference="components",
        gene_names=cells.genes,
        populations=shared.labels,
        confident_populations=shared.confident_labels,
        seed=seed,
    )
    seconds = time.perf_counter() - begun
    populations = populations_at_resolutions(cells.components, batch, seed=seed)[1:2]
    left = batch_left(codes, reference="components", batch=batch, populations=populations, seed=seed)
    loudest = found.table.sort_values("statistic", na_position="first").iloc[-1]
    row: dict[str, Any] = dict(zip(KEYS, (setting, case, seed), strict=True))
    row |= {"n_cells": len(batch), "n_judged": found.n_judged, "rings": any(found.value[name] for name in UNHARMED)}
    row |= {f"rings_{name}": rings for name, rings in found.value.items()}
    row |= {
        name: loudest[name] for name in ("embedding", "contrast", "kind", "n_first", "n_second", "lost", "statistic")
    }
    row |= {"p_adjusted": found.table["p_adjusted"].min(), "smallest_population": found.smallest_population}
    row |= {"no_batch_effect": bool(left.table["no_batch_effect"].iloc[0])}
    row |= {"reference_nats": left.table.loc["components", "information"], "entropy": left.entropy}
    return pd.DataFrame([row | {"seconds": seconds}])


def embeddings_of(components: np.ndarray, batch: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return embeddings that have lost nothing, and a blurred one."""
    turn = np.linalg.qr(rng.normal(size=(components.shape[1],) * 2))[0]
    noise = rng.normal(size=components.shape) * components.std(axis=0)[-1] / 2
    return {
        "fewer": components[:, :20],
        "centred": centred(components, batch),
        "harmony": harmonised(components, batch),
        "turned": 3 * components @ turn,
        "blurred": components + noise,
    }


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """How often the alarm rings by mistake, and how often nothing is found to remove."""
    from scipy.stats import beta

    def told(name: str, some: pd.DataFrame) -> dict[str, Any]:
        n, false, silent = len(some), int(some["rings"].sum()), int(some["no_batch_effect"].sum())
        return {
            "case": name,
            "n": n,
            "false alarms": false / n,
            "up to": beta.ppf(0.975, false + 1, n - false) if false < n else 1.0,
            "no batch effect": silent / n,
            "at least": beta.ppf(0.025, silent, n - silent + 1) if silent else 0.0,
            "judged": some["n_judged"].mean(),
            "smallest population": some["smallest_population"].median(),
            "seconds": some["seconds"].mean(),
        }

    rows = [told(str(case), some) for case, some in table.groupby("case")] + [told("all", table)]
    of = [name for name in table if name.startswith("rings_")]
    rows += [{"case": f"of {name[6:]}", "n": len(table), "false alarms": table[name].mean()} for name in of]
    return pd.DataFrame(rows)
