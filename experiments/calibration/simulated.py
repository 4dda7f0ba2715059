"""What is left of the batch, against an integral: bias, coverage and width.

Claims under test: the 95 % intervals of ``batch_left`` cover the true share in 93 to 97 % of the draws of cells (and of
samples), for weak and strong effects; batches that differ in nothing get "no batch effect to remove".

Types are Gaussian; a batch shifts all cells of a type in one direction. Embeddings keep half, a fifth or nothing of
the shift, so that the information about the batch within a type, and its share of what the reference holds, follow from
an integral in one dimension. Cases: strongly unequal composition; three batches, the third shifted twice as far; a
direction for each type; thirty dimensions, of which one tells the batch; clusters found instead of known types; samples
with effects of their own, where each draw has new samples; and no effect at all, with known and with found populations.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

SEEDS = 40
SHIFT, N_LATENT, N_TYPES, TYPE_DISTANCE = 2.0, 8, 4, 8.0
LEFT = {"half": 0.5, "fifth": 0.2}
SETTINGS = {"small": 1200, "full": 5000}
N_SAMPLES, SAMPLE_SD = 6, 0.5
NUMERICAL = 1e-9
CASES: dict[str, dict[str, Any]] = {
    "unequal": {"unequal": True},
    "three": {"n_batches": 3},
    "each": {"unequal": True, "each": True},
    "thirty": {"unequal": True, "n_latent": 30},
    "found": {"unequal": True, "found": True},
    "samples": {"samples": True, "left": {**LEFT, "none": 0.0}},
    "no effect": {"shift": 0.0, "left": {}},
    "no effect, found": {"shift": 0.0, "left": {}, "unequal": True, "found": True},
}


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """One draw of cells, one row per embedding."""
    from scpareto.metrics import batch_left, shared_populations

    options = {"shift": SHIFT, "n_batches": 2, **CASES[case]}
    found_populations = options.pop("found", False)
    kept = {"reference": 1.0, **options.pop("left", LEFT)}
    # The same cells for known and found populations.
    rng = np.random.default_rng([seed, 1])
    cells = simulate(SETTINGS[setting], rng, **options)
    embeddings = {name: cells["pure"] + share * cells["effect"] for name, share in kept.items()}
    begun = time.process_time()
    populations: Any = cells["types"]
    if found_populations:
        populations = shared_populations(embeddings["reference"], cells["batch"], n_clusters=N_TYPES + 2, seed=seed)
    found = batch_left(
        embeddings,
        reference="reference",
        batch=cells["batch"],
        populations=populations,
        sample=cells["sample"],
        seed=seed,
    )
    seconds = time.process_time() - begun
    known = {k: bool(options.get(k)) for k in ("unequal", "samples")}
    whole = information(1.0, options["shift"], options["n_batches"], **known)
    rows = found.table.loc[list(embeddings), ["information", "batch_left", "low", "high", "no_batch_effect"]].copy()
    rows["true_information"] = [
        information(share, options["shift"], options["n_batches"], **known) for share in kept.values()
    ]
    rows["true"] = 100 * rows["true_information"] / whole if whole > 0 else np.nan
    rows["not_assessable"] = float(found.not_assessable[0].mean())
    return rows.rename_axis("embedding").reset_index().assign(setting=setting, case=case, seed=seed, seconds=seconds)


def simulate(
    n_cells: int,
    rng: np.random.Generator,
    *,
    shift: float,
    n_batches: int,
    n_latent: int = N_LATENT,
    unequal: bool = False,
    each: bool = False,
    samples: bool = False,
) -> dict[str, Any]:
    """Gaussian types in batches, and what the batch (and the sample) adds."""
    batch = np.arange(n_cells) % n_batches
    shares = composition(n_batches, unequal=unequal)
    types = np.array([rng.choice(N_TYPES, p=shares[b]) for b in batch])
    pure = TYPE_DISTANCE * np.eye(n_latent)[types] + rng.normal(size=(n_cells, n_latent))
    effect = np.zeros_like(pure)
    effect[np.arange(n_cells), N_TYPES + types if each else N_LATENT - 1] = shift * batch
    sample = None
    if samples:
        own = rng.integers(N_SAMPLES, size=n_cells)
        sample = batch * N_SAMPLES + own
        pure[:, N_LATENT - 1] += rng.normal(scale=SAMPLE_SD, size=n_batches * N_SAMPLES)[sample]
    return {"batch": batch, "types": types, "pure": pure, "effect": effect, "sample": sample}


def composition(n_batches: int, *, unequal: bool) -> np.ndarray:
    """Shares of the types (columns) in batches."""
    shares = np.full((n_batches, N_TYPES), 1 / N_TYPES)
    if unequal:
        shares[0], shares[1] = (0.55, 0.25, 0.15, 0.05), (0.1, 0.15, 0.25, 0.5)
    return shares


def information(left: float, shift: float, n_batches: int, *, unequal: bool, samples: bool) -> float:
    """Information about the batch given the type, in nats: an integral along the direction of the shift."""
    from scipy.stats import norm

    scale = np.sqrt(1 + SAMPLE_SD**2) if samples else 1.0
    means = left * shift * np.arange(n_batches)
    z = np.linspace(-10 * scale, means[-1] + 10 * scale, 20001)
    density = np.maximum(norm.pdf(z[:, None], means, scale), 1e-300)
    total = 0.0
    for column in composition(n_batches, unequal=unequal).T / n_batches:
        mixture = density @ (column / column.sum())
        total += np.trapezoid((density * np.log(density / mixture[:, None])) @ column, z)
    return float(total) if total > NUMERICAL else 0.0


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Bias, coverage, width and scatter per case and embedding."""
    rows = []
    for (setting, case, name), runs in table.groupby(["setting", "case", "embedding"], sort=False):
        if name == "reference" and runs["true"].notna().any():
            continue
        told = runs[~runs["no_batch_effect"]]
        # Both ends may be exactly zero, as the truth is.
        inside = (told["low"] <= told["true"] + 1e-9) & (told["true"] <= told["high"] + 1e-9)
        rows.append(
            {
                "setting": setting,
                "case": case,
                "embedding": name,
                "n": len(runs),
                "no_batch_effect": runs["no_batch_effect"].mean(),
                "true": runs["true"].mean(),
                "found": told["batch_left"].mean(),
                "scatter": told["batch_left"].std(),
                "covered": inside.mean(),
                "too_low": (told["high"] < told["true"] - 1e-9).mean(),
                "too_high": (told["low"] > told["true"] + 1e-9).mean(),
                "width": (told["high"] - told["low"]).mean(),
                "seconds": runs["seconds"].mean(),
            }
        )
    return pd.DataFrame(rows)
