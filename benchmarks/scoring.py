"""Cost of scoring 12 points of 8,000 cells, relative to scib-metrics' Benchmarker on each point, in one run.

    python benchmarks/scoring.py --repeats 3

The points are simulated codes of 10 dimensions whose batches, and in the end labels, mix more and more. Both sides
score a point before the next point's turn, in alternating order: ``scpareto.metrics.ScibScorer``, made anew in each
repeat with that time counted, and a Benchmarker for each point with the same uncorrected components. First-call costs
(imports, compilation) belong to no side, except that scib-metrics compiles parts of kBET for every size of label that
it meets, which in the first repeat counts as it would for any new front. Time is processor time, so that other work on
the machine counts little. Benchmarker collects garbage before each metric, which takes the longer the more else the
process holds: a second ratio leaves that time out. Memory is the peak of the process above what it held before the
point (Linux only). Writes results/scoring.csv, a row for each point and repeat.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import logging
import os
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import scib_metrics
from anndata import AnnData
from scib_metrics.benchmark import Benchmarker

from scpareto.metrics import ScibScorer

if TYPE_CHECKING:
    from collections.abc import Callable

RESULT = Path(__file__).parent / "results" / "scoring.csv"
N_LATENT, N_COMPONENTS, N_LABELS, N_BATCHES = 10, 50, 10, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--points", type=int, default=12)
    parser.add_argument("--cells", type=int, default=8000)
    arguments = parser.parse_args()
    scib_metrics.settings.verbosity = logging.ERROR
    warnings.filterwarnings("ignore", message="PCR comparison score is negative")
    cells, points = simulate(arguments.cells, arguments.points)
    for codes in (points[0], points[-1]):
        new_scorer(cells).score(codes)
        benchmarker_total(cells, codes.copy())
    rows = []
    for repeat in range(arguments.repeats):
        scorer, made = measured(lambda: new_scorer(cells))
        for number, codes in enumerate(points):
            sides = {
                "scorer": lambda codes=codes, scorer=scorer: scorer.score(codes).total,
                "benchmarker": lambda codes=codes: benchmarker_total(cells, codes.copy()),
            }
            found = {side: measured(sides[side]) for side in np.roll(list(sides), repeat + number)}
            row = {"repeat": repeat, "point": number, "n_cells": arguments.cells}
            for side, (_, cost) in found.items():
                row |= {f"{side}_{unit}": value for unit, value in cost.items()}
            for unit in ("cpu_seconds", "wall_seconds"):
                row[f"scorer_{unit}"] += made[unit] / len(points)
            rows.append(row | {"total_difference": found["scorer"][0] - found["benchmarker"][0]})
            print({name: round(float(value), 4) for name, value in rows[-1].items()}, flush=True)
    RESULT.parent.mkdir(exist_ok=True)
    table = pd.DataFrame(rows)
    table["ratio"] = table["scorer_cpu_seconds"] / table["benchmarker_cpu_seconds"]
    table["ratio_without_collection"] = table["scorer_cpu_seconds"] / (
        table["benchmarker_cpu_seconds"] - table["benchmarker_collection_seconds"]
    )
    table["memory_ratio"] = table["scorer_peak_mb"] / table["benchmarker_peak_mb"]
    table.to_csv(RESULT, index=False, float_format="%.4f")
    ratios = ["ratio", "ratio_without_collection", "memory_ratio", "total_difference"]
    print(table[ratios].describe().round(3).to_string())


def simulate(n_cells: int, n_points: int) -> tuple[AnnData, list[np.ndarray]]:
    """Cells with uncorrected components, and codes from no correction to one that also draws the labels together."""
    rng = np.random.default_rng(0)
    label = rng.choice(N_LABELS, size=n_cells, p=np.arange(1, N_LABELS + 1) / (N_LABELS * (N_LABELS + 1) / 2))
    batch = rng.integers(N_BATCHES, size=n_cells)
    signal, effect = 1.6 * rng.normal(size=(N_LABELS, N_LATENT)), rng.normal(size=(N_BATCHES, N_LATENT))
    noise = rng.normal(size=(n_cells, N_LATENT))
    points = [
        ((1 - 0.5 * removed**2) * signal[label] + (1 - removed) * effect[batch] + noise).astype(np.float32)
        for removed in np.linspace(0, 1, n_points)
    ]
    components = points[0] @ rng.normal(size=(N_LATENT, N_COMPONENTS)) + rng.normal(size=(n_cells, N_COMPONENTS))
    obs = pd.DataFrame({"label": label.astype(str), "batch": batch.astype(str)}, index=np.arange(n_cells).astype(str))
    return AnnData(obs=obs, obsm={"components": components.astype(np.float32)}), points


def new_scorer(cells: AnnData) -> ScibScorer:
    return ScibScorer(cells.obsm["components"], cells.obs["label"].to_numpy(), cells.obs["batch"].to_numpy())


def benchmarker_total(cells: AnnData, codes: np.ndarray) -> float:
    adata = AnnData(obs=cells.obs.copy(), obsm={"codes": codes, "components": cells.obsm["components"]})
    one = Benchmarker(
        adata, "batch", "label", ["codes"], pre_integrated_embedding_obsm_key="components", progress_bar=False
    )
    one.benchmark()
    return float(one.get_results().loc["codes", "Total"])


def measured(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What a call returns, its times, and the growth of the peak of memory."""
    gc.collect()
    collect, collection = gc.collect, []

    def timed_collect() -> int:
        begun = time.process_time()
        found = collect()
        collection.append(time.process_time() - begun)
        return found

    before = resident("VmRSS", reset_peak=True)
    cpu, wall = time.process_time(), time.perf_counter()
    with mock.patch("gc.collect", timed_collect):
        value = call()
    return value, {
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
        "collection_seconds": sum(collection),
        "peak_mb": resident("VmHWM") - before,
    }


def resident(entry: str, *, reset_peak: bool = False) -> float:
    """Memory of this process in MB, NaN where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return float("nan")
    if reset_peak:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what earlier calls freed would hide what this one takes
        Path("/proc/self/clear_refs").write_text("5")
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(entry))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
