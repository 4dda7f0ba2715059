"""Who loses a population that one batch lacks, who notices, and who picks a point where it is gone?

    python experiments/planted_loss.py --setting small --seeds 3 --jobs 2 --resume

Protocol, written before the first row.

Cells and truth. Real cells whose types are known from elsewhere: sorting (``pbmc_facs``), genotype
(``celllines_3protocols``), measured protein (``pbmc_citeseq_2batches``); and, less independent, annotated populations
of one genotype, species or region alone (``tal1_chimera``, ``pancreas_baron_orthologues``,
``retina_fovea_periphery``). No method but scANVI, which is told all of it, and no judge sees the truth.

Designs (``planted/designs.py``). One population is taken out of one batch by 0, 50, 90 or 100 %. Batches are real, or
the cells of one sample are dealt to two, whose counts are thinned by a log-normal factor of each gene (sd .5 times
the strength) and of each gene and population (sd .2), strengths 0, 1 and 2. Strength 0 makes null designs. 30 designs
by 3 seeds, and four more with sorted populations that have near relatives (kinds of T cells), added when 13 designs had
been seen; a seed draws the cells, the deal, the effect and the trainings. Inference is over designs: seeds are
averaged first.

Methods (``planted/codes.py``). PCA, ComBat, Harmony (theta .5 to 8), Scanorama, fastMNN, Seurat CCA, SCVI and scANVI
with their own defaults; SysVI swept in the full setting alone; ParetoVI's default front, and one that trades
information within shared populations (``given="populations"``; added with the four). Of the 12 points of a front
these are picked: the recommended one (``auto``), the best by scib-metrics' total, which sees the truth
(``scib-best``), the middle one, the strongest, the weakest, one by chance (the mean over points).

Measured (``planted/seen.py``). Recall of the population among the neighbours of its cells; mixing of the other,
shared ones; scib-metrics; ``batch_left``, ``structure_kept`` and the alarm, of all codes judged together on all
cells; of the front its own numbers, on held-out cells. On null designs the share of 30 neighbours of a batch-blind
SCVI that are kept.

A code has lost the population if its recall is below three quarters of that of PCA (for pickers and methods), or of
that of point 0 (for the front's alarm, which compares with point 0). Designs count for losses if at least half of the
population is taken out of one batch.

Expected, to be confirmed or refuted: scib-best loses the population in at least 40 % of the designs with an effect,
auto in at most 10 %, with mixing of shared populations within .02 of scib-best; the alarm rings at 90 % or more of
the points that lost it, and in at most 5 % of null designs; auto is point 0 in at least 95 % of null designs.

Writes results/points/planted_loss.csv (a row per code), results/planted_loss.csv (a row per design, seed and picker)
and results/planted_loss.png.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from planted.codes import codes_of, front_of, without_batches
from planted.designs import SETTINGS, cells_of, designs
from planted.picture import draw
from planted.seen import by_judge, by_truth, kept_neighbors
from planted.summary import by_picker, report
from shared import RESULTS, run_missing

POINTS, TABLE, FIGURE = (
    RESULTS / "points" / "planted_loss.csv",
    RESULTS / "planted_loss.csv",
    RESULTS / "planted_loss.png",
)
KEYS = ("setting", "design", "seed", "part")
PARTS: dict[str, dict[str, Any]] = {
    "methods": {"objective_kwargs": {"given": None}},
    "populations": {"objective_kwargs": {"given": "populations"}},
}
"""All methods and a front that mixes all cells; and by itself a front that mixes within shared populations, the default
where batches hold unlike cells."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setting", choices=SETTINGS, default="small")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--datasets", nargs="+")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--summary", action="store_true", help="only sum up the rows that are there")
    arguments = parser.parse_args()
    if arguments.summary:
        points = pd.read_csv(POINTS)
    else:
        names = [d.name for d in designs() if not arguments.datasets or d.dataset in arguments.datasets]
        seeds, parts = range(arguments.seeds), arguments.parts
        runs = [(arguments.setting, name, seed, part) for seed in seeds for name in names for part in parts]
        points = run_missing(one_design, runs, KEYS, POINTS, jobs=arguments.jobs, resume=arguments.resume)
    picked = by_picker(points)
    picked.to_csv(TABLE, index=False, float_format="%.5g")
    report(points, picked)
    draw(points, FIGURE)


def one_design(setting: str, name: str, seed: int, part: str) -> pd.DataFrame:
    """All codes of one part of a design, seen and judged."""
    design = next(d for d in designs() if d.name == name)
    adata = cells_of(design, setting, seed)
    facts, codes = [], {}
    for told, found in codes_of(adata.copy(), setting, seed, only=None if part == "methods" else ("pca",)):
        key = f"{told['method']} {told['value']:g}" if np.isfinite(told["value"]) else told["method"]
        facts.append({"codes": key} | told)
        if found is not None:
            codes[key] = found
    table, points, front = front_of(adata, seed, **PARTS[part])
    own = table.set_index("point")[["batch_left", "structure_kept", "alarm"]].add_prefix("own_")
    for number, found in points.items():
        key = f"point {number}"
        codes[key] = found
        method = "paretovi" if part == "methods" else f"paretovi_{part}"
        told = {"codes": key, "method": method, "point": number, "seconds": front["seconds"]}
        told |= {"recommended": number == front["recommended"], "own_no_batch_effect": front["no_batch_effect"]}
        facts.append(told | own.loc[number].to_dict())
    rows = pd.DataFrame(facts)
    rows = rows.merge(by_truth(adata, codes, design.population), on="codes", how="left")
    rows = rows.merge(by_judge(adata, codes, "pca"), on="codes", how="left")
    if part != "methods":
        rows = rows[rows["method"] != "pca"]
    elif design.is_null:
        blind = without_batches(adata, seed)
        rows["kept_neighbors"] = [
            kept_neighbors(codes[key], blind) if key in codes else np.nan for key in rows["codes"]
        ]
    planted = (adata.obs["truth"].astype(str) == design.population).to_numpy()
    about = {"dataset": design.dataset, "share": design.share, "strength": design.strength, "null": design.is_null}
    about |= {"n_cells": adata.n_obs, "n_planted": int(planted.sum())}
    return rows.assign(**about, setting=setting, design=name, seed=seed, part=part)


if __name__ == "__main__":
    main()
