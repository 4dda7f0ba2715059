"""Do findings that hold at every strength of correction hold up, where the truth is known and in other samples?

    python experiments/survives.py --setting small --seeds 3 --jobs 2 --resume

Protocol, written before the first row.

Simulated (``survives_simulated.csv``): 24 designs by 3 seeds. 2,000 cells of three batches, four samples in each, two
of either condition; samples have gene-wise log-normal noise (sd .15). Batch effects of strength 1 or 2, types of
strength 1 or 1.5, none or one type in one batch alone; and in one type nothing, 20 genes changed by a factor of .4 in
one of the conditions, or half of the cells taken out of one condition. The front is a sweep of Harmony (small
setting) or ParetoVI (full). Truth: the type and genes that were changed; everything called in a null design is false.

Real (``survives_real.csv``): five sets, samples dealt to two halves, each with a front of its own. Markers that one
half calls at its recommended point, as one default would; they replicate if the other half calls them there with the
same sign. Odds of replicating, robust against fragile, at equal p-value and effect: logistic regression on the call,
the logarithm of the p-value and the absolute effect, with a 95 % interval by data set.

Expected, to be confirmed or refuted: robust calls have a false discovery rate of at most .05 in designs with changes,
and next to no calls in null designs; fragile ones have a larger one; the odds ratio is 2 or more.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from typing import Any

import numpy as np
import pandas as pd
from shared import RESULTS, load, run_missing

SIMULATED, REAL = RESULTS / "survives_simulated.csv", RESULTS / "survives_real.csv"
SIMULATED_ROWS, REAL_ROWS = RESULTS / "points" / SIMULATED.name, RESULTS / "points" / REAL.name
KEYS, REAL_KEYS = ("setting", "design", "seed"), ("setting", "dataset", "seed")
FRONTS = {"small": "harmony", "full": "paretovi"}
FACTOR, N_CHANGED, KEPT, NOISE = 0.4, 20, 0.5, 0.15
DATASETS: dict[str, dict[str, Any]] = {
    "pbmc_multistudy": {"sample": "batch", "n_genes": 1000},
    "worm_l2_plates": {"sample": "batch", "n_genes": 1000},
    "primate_neural_diff": {"sample": "batch", "n_genes": 300},
    "lung_tumour_dc": {"sample": "batch", "n_genes": 1000},
    "pancreas_baron_orthologues": {"sample": "donor", "n_genes": 1000},
}
"""Column with the samples that are dealt to halves, and variable genes."""
MOST_CELLS, REFUSED = 2500, "refused"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=FRONTS, default="small")
    parser.add_argument("--parts", nargs="+", choices=["simulated", "real"], default=["simulated", "real"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    options = {"jobs": arguments.jobs, "resume": arguments.resume}
    seeds = range(arguments.seeds)
    if "simulated" in arguments.parts:
        runs = [(arguments.setting, name, seed) for seed in seeds for name in designs()]
        report_simulated(run_missing(simulated, runs, KEYS, SIMULATED_ROWS, **options))
    if "real" in arguments.parts:
        runs = [(arguments.setting, name, seed) for seed in seeds for name in DATASETS]
        report_real(run_missing(real, runs, REAL_KEYS, REAL_ROWS, **options))


def designs() -> dict[str, dict[str, Any]]:
    """All simulated designs by name."""
    grid = itertools.product((1.0, 2.0), (1.0, 1.5), (0, 1), ("null", "expression", "abundance"))
    return {
        f"{what}, batch {batch:g}, types {types:g}, unique {unique}": {
            "batch_strength": batch,
            "type_strength": types,
            "unique_types": unique,
            "what": what,
        }
        for batch, types, unique, what in grid
    }


def cells_of(design: dict[str, Any], seed: int) -> tuple[Any, str, set[str]]:
    """Cells with samples and condition, the type that is changed, and its changed genes."""
    import scpareto as sp

    rng = np.random.default_rng([seed, 11])
    options = {name: value for name, value in design.items() if name != "what"}
    adata = sp.datasets.simulate_batches(2000, 300, n_batches=3, n_types=4, counts_per_gene=1.5, seed=seed, **options)
    batch = adata.obs["batch"].astype(str).to_numpy()
    number = rng.integers(0, 4, adata.n_obs)
    sample = np.array([f"{b}_{n}" for b, n in zip(batch, number, strict=True)])
    stimulated = number % 2 == 1
    adata.obs["sample"], adata.obs["condition"] = sample, np.where(stimulated, "stim", "ctrl")
    kind = adata.obs["cell_type"].astype(str).to_numpy()
    # The first type: it is in all batches.
    target = sorted(set(kind))[0]
    inside = kind == target
    counts = np.asarray(adata.X.todense()) if hasattr(adata.X, "todense") else np.asarray(adata.X)
    names, of_cell = np.unique(sample, return_inverse=True)
    noise = np.exp(np.minimum(NOISE * rng.normal(size=(len(names), adata.n_vars)) - 2 * NOISE, 0))
    keep = noise[of_cell]
    changed: set[str] = set()
    if design["what"] == "expression":
        expressed = np.flatnonzero(counts[inside].mean(axis=0) > 0.2)
        genes = rng.permutation(expressed)[:N_CHANGED]
        for place, gene in enumerate(genes):
            keep[inside & (stimulated if place % 2 else ~stimulated), gene] *= FACTOR
        changed = {str(name) for name in adata.var_names[genes]}
    adata.X = rng.binomial(counts.astype(int), keep).astype(np.float32)
    if design["what"] == "abundance":
        gone = inside & stimulated & (rng.random(adata.n_obs) > KEPT)
        adata = adata[~gone].copy()
    return adata[np.asarray(adata.X.sum(axis=1)).ravel() > 0].copy(), target, changed


def front_of(adata: Any, setting: str, seed: int) -> Any:
    """Learn the front that a setting names."""
    import scpareto as sp

    if FRONTS[setting] == "paretovi":
        return sp.tl.integrate(adata, batch_key="batch", n_top_genes=None, seed=seed, progress=False)
    return sp.tl.sweep(adata, "harmony", batch_key="batch", seed=seed, progress=False)


def simulated(setting: str, design: str, seed: int) -> pd.DataFrame:
    """Findings of one design, how many of each call, and how many of them are true."""
    import scpareto as sp

    adata, target, changed = cells_of(designs()[design], seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        front = front_of(adata, setting, seed)
        try:
            found = sp.tl.survives(
                front,
                adata,
                groupby="cell_type",
                contrast=("condition", "stim", "ctrl"),
                sample_key="sample",
                block_key="batch",
                batch_key="batch",
                kinds=["expression", "abundance"],
                progress=False,
            )
        except ValueError as error:
            return refused(error).assign(setting=setting, design=design, seed=seed, n_admissible=0)
    record = adata.uns["scpareto"]["survives"]
    points = record["points"]
    reference = int(points.loc[points["recommended"], "point"].iloc[0])
    at = record["findings_by_point"]
    single = at[(at["point"] == reference) & at["called"].astype(bool)] if len(at) else at
    rows = []
    for kind, n_true in (("expression", len(changed)), ("abundance", int("abundance" in design))):
        sets = {call: found[(found["kind"] == kind) & (found["call"] == call)] for call in sp_calls()}
        sets["one strength"] = single[single["kind"] == kind] if len(single) else single
        for call, own in sets.items():
            true = [is_true(kind, *names, target, changed) for names in zip(*groups_and_genes(own), strict=True)]
            rows.append(
                {"kind": kind, "call": call, "n_called": len(own), "n_true": int(np.sum(true)), "n_changed": n_true}
            )
    admissible = int(points["admissible"].sum())
    return pd.DataFrame(rows).assign(setting=setting, design=design, seed=seed, n_admissible=admissible)


def refused(error: ValueError) -> pd.DataFrame:
    """Return a row for a front whose alarm leaves no range of strengths: nothing is called there."""
    if "there is no range of strengths" not in str(error):
        raise error
    return pd.DataFrame([{"kind": "none", "call": REFUSED}])


def sp_calls() -> tuple[str, ...]:
    return ("robust", "fragile", "only beyond the alarm")


def groups_and_genes(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    return (table["group"].tolist(), table["gene"].tolist()) if len(table) else ([], [])


def is_true(kind: str, group: str, gene: str, target: str, changed: set[str]) -> bool:
    """Whether a finding was planted."""
    return group == target and (kind == "abundance" or gene in changed)


def real(setting: str, dataset: str, seed: int) -> pd.DataFrame:
    """Markers of one half of the samples, and whether the other half has them, both ways."""
    rng = np.random.default_rng([seed, 13])
    adata = load(dataset, n_genes=DATASETS[dataset]["n_genes"])
    adata = adata[np.sort(rng.permutation(adata.n_obs)[:MOST_CELLS])].copy()
    sample = adata.obs[DATASETS[dataset]["sample"]].astype(str)
    sizes = sample.value_counts()
    names = pd.Index(rng.permutation(sorted(sizes.index[sizes >= 40])))
    if DATASETS[dataset]["sample"] != "batch":
        # Each half has samples of every batch.
        of = adata.obs["batch"].astype(str).groupby(sample.to_numpy()).first()
        names = names[np.argsort(of[names].to_numpy(), kind="stable")]
    halves = []
    for own in (names[::2], names[1::2]):
        cells = adata[sample.isin(own).to_numpy()].copy()
        cells.obs["sample"] = cells.obs[DATASETS[dataset]["sample"]].astype(str)
        try:
            halves.append(markers_of(cells, setting, seed))
        except ValueError as error:
            return refused(error).assign(setting=setting, dataset=dataset, seed=seed)
    rows = []
    for first, second in (halves, halves[::-1]):
        merged = first.merge(
            second[["group", "gene", "effect", "called"]], on=["group", "gene"], suffixes=("", "_other")
        )
        merged["replicates"] = merged["called_other"] & (np.sign(merged["effect"]) == np.sign(merged["effect_other"]))
        rows.append(merged[merged["called"]][["group", "gene", "call", "effect", "p_value", "replicates"]])
    return pd.concat(rows, ignore_index=True).assign(setting=setting, dataset=dataset, seed=seed)


def markers_of(adata: Any, setting: str, seed: int) -> pd.DataFrame:
    """Markers at the recommended point with their call; genes that are called nowhere are not called."""
    import scpareto as sp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        front = front_of(adata, setting, seed)
        found = sp.tl.survives(
            front, adata, groupby="cell_type", sample_key="sample", kinds=["markers"], progress=False
        )
    record = adata.uns["scpareto"]["survives"]
    points = record["points"]
    reference = int(points.loc[points["recommended"], "point"].iloc[0])
    at = record["findings_by_point"]
    at = at[at["point"] == reference].merge(found[["group", "gene", "call"]], on=["group", "gene"])
    at["called"] = at["called"].astype(bool)
    groups = sorted(set(at["group"]))
    every = pd.MultiIndex.from_product([groups, adata.var_names.astype(str)], names=["group", "gene"])
    whole = at.set_index(["group", "gene"])[["call", "effect", "p_value", "called"]].reindex(every)
    return whole.assign(called=whole["called"].fillna(False).astype(bool)).reset_index()


def report_simulated(table: pd.DataFrame) -> None:
    """False discovery rates and power by call."""
    gone = table["call"] == REFUSED
    print(f"{gone.sum()} of {len(table[['design', 'seed']].drop_duplicates())} fronts: the alarm rings at every point")
    table = table[~gone].assign(design=table["design"].str.split(",").str[0])
    rows = []
    for (design, kind, call), own in table.groupby(["design", "kind", "call"]):
        called, true, changed = int(own["n_called"].sum()), int(own["n_true"].sum()), int(own["n_changed"].sum())
        rows.append(
            {
                "designs": design,
                "kind": kind,
                "call": call,
                "n_called": called,
                "false": (called - true) / called if called else np.nan,
                "of the changed": true / changed if changed else np.nan,
                "n_runs": len(own),
                "runs that call any": int((own["n_called"] > 0).sum()),
            }
        )
    summary = pd.DataFrame(rows)
    summary.to_csv(SIMULATED, index=False, float_format="%.3g")
    print(summary.to_string(index=False, float_format="%.3f"))


def report_real(table: pd.DataFrame) -> None:
    """Share of markers that replicate by call, and the odds ratio at equal p-value and effect."""
    import statsmodels.api as sm

    gone = table["call"] == REFUSED
    print(f"{gone.sum()} of {len(table[['dataset', 'seed']].drop_duplicates())} runs: the alarm rings at every point")
    table = table[~gone].assign(replicates=table["replicates"].astype(str).eq("True"))
    rows = []
    for dataset, own in [*table.groupby("dataset"), ("all", table)]:
        robust = (own["call"] == "robust").astype(float)
        shares = own.groupby("call")["replicates"].agg(["mean", "count"])
        columns = [np.ones(len(own)), -np.log10(own["p_value"].clip(lower=1e-300)), own["effect"].abs()]
        if dataset == "all":
            columns += [(own["dataset"] == name).astype(float) for name in sorted(set(own["dataset"]))[1:]]
        row = {"dataset": dataset}
        for call in ("robust", "fragile"):
            row |= {f"n {call}": shares["count"].get(call, 0), f"{call} replicate": shares["mean"].get(call, np.nan)}
        try:
            fit = sm.Logit(own["replicates"].astype(float), np.column_stack([*columns, robust])).fit(disp=0)
            low, high = np.exp(np.asarray(fit.conf_int())[-1])
            row |= {"odds ratio": np.exp(np.asarray(fit.params)[-1]), "low": low, "high": high}
        except Exception as error:  # noqa: BLE001 - the shares are told all the same
            row |= {"reason": f"{type(error).__name__}: {error}"}
        rows.append(row)
    summary = pd.DataFrame(rows)
    summary.to_csv(REAL, index=False, float_format="%.3g")
    print(summary.to_string(index=False, float_format="%.2f"))


if __name__ == "__main__":
    main()
