"""How many steps of the critic does each step of the model need?

    python experiments/critic_steps.py --setting small --seeds 2 --jobs 2 --resume

Claim under test: three steps of the critic before each step along the path (``plan_kwargs={"n_critic": 3}``) remove
as much of the batch, and keep as much structure, as ten, in less time. One default front for each data set, seed and
number of steps. All fronts of a data set and seed start from the same shared start, and are judged with the same
random numbers on the same test cells. Seconds are processor time, judging included; scib-metrics' total and the purity
of the neighbours of the three rarest types see labels.

Writes results/points/critic_steps.csv (one row per point) and results/critic_steps.csv (one row per front: the
strongest and the recommended point, and the mean along the curve at equal preferences).
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from keeps_its_word import seen_by_labels
from shared import RESULTS, load, run_missing

POINTS, TABLE = RESULTS / "points" / "critic_steps.csv", RESULTS / "critic_steps.csv"
KEYS = ("setting", "dataset", "seed", "n_critic")
SETTINGS = {
    "small": {"celllines_3protocols": 889, "pbmc_multistudy": 1000, "kang_ifnb_pbmc": 1000, "simulate_batches": 500},
    "full": {
        "celllines_3protocols": 889,
        "pbmc_multistudy": 2000,
        "kang_ifnb_pbmc": 1267,
        "simulate_batches": 500,
        "retina_fovea_periphery": 2000,
        "pancreas_baron_orthologues": 2000,
        "tal1_chimera": 300,
    },
}
"""Data sets and the variable genes that are taken of each."""
STEPS = (10, 5, 3, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, nargs="+", default=list(STEPS))
    parser.add_argument("--datasets", nargs="+")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--summary", action="store_true", help="only sum up the rows that are there")
    arguments = parser.parse_args()
    if arguments.summary:
        points = pd.read_csv(POINTS)
    else:
        datasets = arguments.datasets or list(SETTINGS[arguments.setting])
        seeds = range(arguments.seeds)
        runs = [(arguments.setting, d, seed, steps) for seed in seeds for d in datasets for steps in arguments.steps]
        points = run_missing(train, runs, KEYS, POINTS, jobs=arguments.jobs, resume=arguments.resume)
    fronts = by_front(points)
    fronts.to_csv(TABLE, index=False, float_format="%.5g")
    print(fronts.round(3).to_string(index=False))
    print(differences(fronts).round(3).to_string())


def train(setting: str, dataset: str, seed: int, n_critic: int) -> pd.DataFrame:
    """One front with some number of steps of the critic, and what labels see of its points."""
    import scpareto as sp

    adata = load(dataset, n_genes=SETTINGS[setting][dataset], seed=seed)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=seed)
    begun = time.process_time()
    model.train(progress=False, accelerator="cpu", plan_kwargs={"n_critic": n_critic})
    seconds = time.process_time() - begun
    front = model.front
    codes = {}
    for number in front.numbers:
        with model.at(number):
            codes[f"point {number}"] = model.get_latent_representation()
    curve = front.curve()
    table = front.to_dataframe()[["point", "batch_left", "structure_kept", "alarm", "generative_loss_test"]].copy()
    for name, values in seen_by_labels(adata, codes, adata.obs["batch"].astype(str).to_numpy()).items():
        table[name] = [values[f"point {point}"] for point in table["point"]]
    table["recommended"] = table["point"] == front.recommended
    along = {f"curve_{name}": curve[name].mean() for name in ("batch_left", "structure_kept")}
    facts = {"seconds": seconds, "n_cells": adata.n_obs, "curve_least": curve["batch_left"].min()}
    table = table.assign(setting=setting, dataset=dataset, seed=seed, n_critic=n_critic, **facts, **along)
    return table[[*KEYS, *(column for column in table if column not in KEYS)]]


def by_front(points: pd.DataFrame) -> pd.DataFrame:
    """One row per front: its whole curve, its strongest and its recommended point."""
    rows = []
    for key, table in points.groupby(list(KEYS)):
        row = dict(zip(KEYS, key, strict=True))
        columns = ("seconds", "curve_batch_left", "curve_structure_kept", "curve_least")
        row |= {name: table[name].iloc[0] for name in columns}
        row |= {"alarms": int(table["alarm"].sum()), "generative_loss": table["generative_loss_test"].mean()}
        for name, one in (("strongest", table.iloc[-1]), ("recommended", table[table["recommended"]].iloc[0])):
            row |= {f"{name}_{c}": one[c] for c in ("batch_left", "structure_kept", "scib_total", "rare_purity")}
        rows.append(row)
    return pd.DataFrame(rows)


def differences(fronts: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard error, over data sets and seeds, of the difference from ten steps; seconds as a ratio."""
    pairs = [name for name in KEYS if name != "n_critic"]
    wide = fronts.set_index([*pairs, "n_critic"])
    of_ten = wide.xs(max(STEPS), level="n_critic")
    rows = {}
    for steps in sorted(fronts["n_critic"].unique()):
        few = wide.xs(steps, level="n_critic")
        ten = of_ten.loc[few.index]
        change = few - ten
        row = {"fronts": len(few), "seconds_ratio": (few["seconds"] / ten["seconds"]).median()}
        for name in change.columns.drop("seconds"):
            row |= {name: change[name].mean(), f"{name}_se": change[name].std() / np.sqrt(len(change))}
        rows[steps] = row
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
