"""Time of `sp.tl.survives` at 20,000 cells and 10 strengths, as a share of the sweep that made them.

    python benchmarks/survives.py --repeats 1

20,000 simulated cells, 2,000 genes, four batches of four samples, two conditions; Harmony at ten values of ``theta``,
judged as every sweep is. Looked for: clusters, labels, markers, expression and abundance at every point. Seconds on the
clock with two threads. Writes results/survives.csv. Aim: at most five minutes beside the sweep.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import scpareto as sp

RESULT = Path(__file__).parent / "results" / "survives.csv"
THETAS = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    rows = []
    for repeat in range(arguments.repeats):
        rows.append(measured(arguments.cells, repeat))
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(RESULT, index=False, float_format="%.4g")


def measured(n_cells: int, seed: int) -> dict[str, Any]:
    """Seconds of sweep and findings of one draw."""
    adata = sp.datasets.simulate_batches(n_cells, 2000, n_batches=4, n_types=12, seed=seed)
    number = np.random.default_rng(seed).integers(0, 4, n_cells)
    adata.obs["sample"] = adata.obs["batch"].astype(str) + "_" + pd.Series(number.astype(str), index=adata.obs_names)
    adata.obs["condition"] = np.where(number % 2, "stim", "ctrl")
    begun = time.perf_counter()
    front = sp.tl.sweep(adata, "harmony", values=THETAS, batch_key="batch", seed=seed, progress=False)
    swept = time.perf_counter() - begun
    begun = time.perf_counter()
    found = sp.tl.survives(
        front,
        adata,
        groupby="cell_type",
        contrast=("condition", "stim", "ctrl"),
        sample_key="sample",
        block_key="batch",
        batch_key="batch",
        progress=False,
    )
    spent = time.perf_counter() - begun
    told = {"n_cells": n_cells, "seed": seed, "n_points": len(front), "n_findings": len(found)}
    return told | {"sweep_seconds": swept, "survives_seconds": spent, "ratio": spent / swept}


if __name__ == "__main__":
    main()
