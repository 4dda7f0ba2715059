"""Whether what is left of the batch is measured rightly, where the truth is known.

Claims under test: the 95 % intervals of ``batch_left`` cover the true share in 93 to 97 % of the draws of cells (and of
samples); batches that differ in nothing get "no batch effect to remove"; random, constant and one-dimensional codes,
the identity and components of one batch get sane numbers.

    python experiments/judge_calibration.py --setting small --seeds 100 --jobs 2 --resume

Types are Gaussian; a batch shifts all cells of a type in one direction. Embeddings keep half, a fifth or nothing of the
shift, so that the information about the batch within a type, and its share of what the reference holds, follow from an
integral in one dimension. Cases: equal composition, strongly unequal composition, three batches (of which the third is
shifted otherwise), samples with effects of their own, clusters found instead of known types, and no effect at all.

Writes results/judge_calibration.csv (one row per case and seed).
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd
from shared import RESULTS, run_missing

TABLE = RESULTS / "judge_calibration.csv"
KEYS = ("setting", "case", "seed")
SHIFT, N_LATENT, N_TYPES, TYPE_DISTANCE = 2.0, 8, 4, 8.0
LEFT = {"half": 0.5, "fifth": 0.2, "none": 0.0}
SETTINGS = {"small": 1200, "full": 5000}
N_SAMPLES, SAMPLE_SD = 6, 0.5
NUMERICAL = 1e-9
CASES: dict[str, dict[str, Any]] = {
    "equal": {},
    "unequal": {"unequal": True},
    "three": {"n_batches": 3},
    "samples": {"samples": True},
    "found": {"found": True, "unequal": True},
    "null": {"shift": 0.0},
    "null, found": {"shift": 0.0, "found": True, "unequal": True},
    "sane": {"sane": True, "unequal": True},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    runs = [(arguments.setting, case, seed) for seed in range(arguments.seeds) for case in arguments.cases]
    table = run_missing(judge, runs, KEYS, TABLE, jobs=arguments.jobs, resume=arguments.resume)
    print(summarise(table).to_string(float_format="%.3f"))


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """Judge one draw of cells."""
    from scpareto.metrics import batch_left, shared_populations

    options = {"shift": SHIFT, "n_batches": 2, **CASES[case]}
    rng = np.random.default_rng([seed, list(CASES).index(case)])
    cells = simulate(SETTINGS[setting], rng, **{k: v for k, v in options.items() if k not in ("found", "sane")})
    batch, types, pure, effect = cells["batch"], cells["types"], cells["pure"], cells["effect"]
    embeddings = {"reference": pure + effect} | {name: pure + left * effect for name, left in LEFT.items()}
    if options.get("sane"):
        reference = embeddings["reference"]
        one = np.linalg.svd(reference[batch == 0] - reference[batch == 0].mean(axis=0), full_matrices=False)[2][:2]
        embeddings |= {
            "random": rng.normal(size=pure.shape),
            "constant": np.zeros((len(pure), 2)),
            "identity": reference.copy(),
            "of_one_batch": reference @ one.T,
            "one_dimension": reference[:, :1],
            "type_only": np.eye(N_TYPES)[types],
        }
    begun = time.perf_counter()
    populations: Any = types
    if options.get("found"):
        populations = shared_populations(embeddings["reference"], batch, n_clusters=N_TYPES + 2, seed=seed)
    found = batch_left(
        embeddings, reference="reference", batch=batch, populations=populations, sample=cells["sample"], seed=seed
    )
    row: dict[str, Any] = dict(zip(KEYS, (setting, case, seed), strict=True))
    row |= {"seconds": time.perf_counter() - begun, "no_batch_effect": bool(found.table["no_batch_effect"].iloc[0])}
    row |= {"not_assessable": float(found.not_assessable[0].mean()), "interval_of": found.interval_of}
    known = {k: bool(options.get(k)) for k in ("unequal", "samples")}
    whole = information(1.0, options["shift"], options["n_batches"], **known)
    for name, judged in found.table.iterrows():
        row |= {f"{name}_{key}": judged[key] for key in ("information", "batch_left", "low", "high", "graph_mixing")}
        row[f"{name}_erased"] = judged["composition_erased"]
    for name, left in {"reference": 1.0, **LEFT}.items():
        row[f"{name}_true"] = information(left, options["shift"], options["n_batches"], **known)
        row[f"{name}_share"] = 100 * row[f"{name}_true"] / whole if whole > 0 else np.nan
    return pd.DataFrame([row])


def simulate(
    n_cells: int,
    rng: np.random.Generator,
    *,
    shift: float,
    n_batches: int,
    unequal: bool = False,
    samples: bool = False,
) -> dict[str, Any]:
    """Gaussian types in batches, and what the batch (and the sample) adds."""
    batch = np.arange(n_cells) % n_batches
    shares = composition(n_batches, unequal=unequal)
    types = np.array([rng.choice(N_TYPES, p=shares[b]) for b in batch])
    pure = TYPE_DISTANCE * np.eye(N_LATENT)[types] + rng.normal(size=(n_cells, N_LATENT))
    effect = np.zeros_like(pure)
    effect[:, -1] = shift * batch
    sample = None
    if samples:
        own = rng.integers(N_SAMPLES, size=n_cells)
        sample = batch * N_SAMPLES + own
        pure[:, -1] += rng.normal(scale=SAMPLE_SD, size=n_batches * N_SAMPLES)[sample]
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
    """Bias and coverage per case and embedding."""
    rows = []
    for (setting, case), runs in table.groupby(["setting", "case"]):
        for name in LEFT:
            # Both ends may be exactly zero, as the truth is.
            inside = (runs[f"{name}_low"] <= runs[f"{name}_share"]) & (runs[f"{name}_share"] <= runs[f"{name}_high"])
            rows.append(
                {
                    "setting": setting,
                    "case": case,
                    "embedding": name,
                    "n": len(runs),
                    "no_batch_effect": runs["no_batch_effect"].mean(),
                    "true": runs[f"{name}_share"].mean(),
                    "found": runs[f"{name}_batch_left"].mean(),
                    "covered": inside[~runs["no_batch_effect"]].mean(),
                    "width": (runs[f"{name}_high"] - runs[f"{name}_low"]).mean(),
                    "scatter": runs[f"{name}_batch_left"].std(),
                    "reference_nats": runs["reference_information"].mean() - runs["reference_true"].mean(),
                    "seconds": runs["seconds"].mean(),
                }
            )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
