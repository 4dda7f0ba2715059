"""A default front on a GPU beside SCVI: cells per second, the whole front, judging and memory; then the tests for GPUs.

    python benchmarks/gpu.py

At most 8 minutes. Simulated counts of 100,000 cells and 2,000 genes, a tenth of them not zero. SCVI and the front have
their default lengths and the same minibatches of --batch-size cells; epochs are timed one by one, the first one of each
training left out. What is not there after --minutes is written as missing, and the tests get what time is left. Writes
results/gpu.csv and prints each figure beside that of SCVI in the same run. Without a GPU ``--accelerator cpu --cells
2000`` runs the same, to try it.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scvi
import torch
from lightning.pytorch.callbacks import Callback
from throughput import N_GENES, simulated

import scpareto as sp
from scpareto._runtime import quiet_lightning

TABLE = Path(__file__).parent / "results" / "gpu.csv"
TRAINED_SHARE = {"scvi": 0.9, "pretraining": 0.7, "path": 0.7}
"""Share of the cells that a training sees by default."""
_REST = "seconds, judging and all else"


class Clock(Callback):
    """Seconds of every epoch, by the part of the front that is trained; stops what takes too long."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.seconds: dict[str, list[float]] = {}
        self.stopped = False
        self._begun = 0.0

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._begun = now()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        part = getattr(pl_module, "part", None) or "scvi"
        self.seconds.setdefault(part, []).append(now() - self._begun)
        if time.perf_counter() > self.until:
            self.stopped = trainer.should_stop = True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--accelerator", default="gpu")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--max-epochs", type=int, help="of SCVI and of the front, for a shorter run")
    arguments = parser.parse_args()
    begun = time.perf_counter()
    until = begun + 60 * arguments.minutes
    adata = simulated(arguments.cells, 0.1)
    hardware = {"accelerator": arguments.accelerator, "devices": 1}
    warmed = adata[:1000].copy()  # imports, kernels and first calls belong to neither side
    for train in (train_scvi, train_front):
        train(warmed, hardware, arguments.batch_size, 4, until)
    scvi_found = train_scvi(adata, hardware, arguments.batch_size, arguments.max_epochs, begun + 20 * arguments.minutes)
    report(table_of(scvi_found, {}, arguments))
    front_found = train_front(adata, hardware, arguments.batch_size, arguments.max_epochs, until - 30)
    report(table_of(scvi_found, front_found, arguments))
    left = max(until - time.perf_counter(), 30.0)
    tests = Path(__file__).parents[1] / "tests"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "gpu", str(tests)]
    if torch.cuda.is_available():
        subprocess.run(command, timeout=left, check=False)
    else:
        print("The tests for GPUs were not run: no GPU is here.")
    print(f"{time.perf_counter() - begun:.0f} s in all")


def train_scvi(
    adata: Any, hardware: dict[str, Any], batch_size: int, max_epochs: int | None, until: float
) -> dict[str, float]:
    """Figures of one SCVI training of its default length, with the layers of ParetoVI."""
    clock = Clock(until)
    scvi.settings.seed = 0
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    model = scvi.model.SCVI(adata, n_layers=2)
    begun = measured_from_here()
    with quiet_lightning():
        model.train(max_epochs, batch_size=batch_size, callbacks=[clock], enable_progress_bar=False, **hardware)
    return figures(adata.n_obs, clock, begun)


def train_front(
    adata: Any, hardware: dict[str, Any], batch_size: int, max_epochs: int | None, until: float
) -> dict[str, float]:
    """Figures of one whole default front."""
    clock = Clock(until)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=0)
    begun = measured_from_here()
    model.train(max_epochs, batch_size=batch_size, callbacks=[clock], progress=False, **hardware)
    return figures(adata.n_obs, clock, begun)


def figures(n_cells: int, clock: Clock, begun: float) -> dict[str, float]:
    """Seconds, memory, and cells per second of each part that was trained."""
    found = {"seconds": now() - begun, "stopped": float(clock.stopped)}
    found["training_seconds"] = sum(map(sum, clock.seconds.values()))
    found["epochs"] = sum(map(len, clock.seconds.values()))
    for part, seconds in clock.seconds.items():
        if len(seconds) > 1 and part in TRAINED_SHARE:
            found[f"cells_per_second_{part}"] = TRAINED_SHARE[part] * n_cells / float(np.median(seconds[1:]))
    on_gpu = torch.cuda.is_available()
    found["gpu_megabytes"] = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else float("nan")
    found["host_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def table_of(one: dict[str, float], front: dict[str, float], arguments: argparse.Namespace) -> pd.DataFrame:
    """Each figure of the front beside that of SCVI."""
    nothing = float("nan")
    rate = one.get("cells_per_second_scvi", nothing)
    rows = {
        "cells per second, plain": (rate, front.get("cells_per_second_pretraining", nothing)),
        "cells per second, path": (rate, front.get("cells_per_second_path", nothing)),
        "epochs": (one["epochs"], front.get("epochs", nothing)),
        "seconds, whole": (one["seconds"], front.get("seconds", nothing)),
        _REST: tuple(f.get("seconds", nothing) - f.get("training_seconds", nothing) for f in (one, front)),
        "MB of the GPU": (one["gpu_megabytes"], front.get("gpu_megabytes", nothing)),
        "MB of the host, so far": (one["host_megabytes"], front.get("host_megabytes", nothing)),
        "stopped for time": (one["stopped"], front.get("stopped", nothing)),
    }
    table = pd.DataFrame(rows, index=["scvi", "front"]).T.rename_axis("figure").reset_index()
    is_ratio = ~table["figure"].isin([_REST, "stopped for time"])
    table["front / scvi"] = (table["front"] / table["scvi"]).where(is_ratio)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    about = {"device": device, "cells": arguments.cells, "genes": N_GENES, "batch_size": arguments.batch_size}
    return table.assign(**about, torch=version("torch"), scvi_tools=version("scvi-tools"))


def report(table: pd.DataFrame) -> None:
    """Write what is known so far, and print it."""
    TABLE.parent.mkdir(exist_ok=True)
    table.to_csv(TABLE, index=False, float_format="%.5g")
    print(table[["figure", "scvi", "front", "front / scvi"]].round(2).to_string(index=False), flush=True)


def measured_from_here() -> float:
    """Forget the peak of memory of before, and return the time."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    return now()


def now() -> float:
    """Seconds, once the GPU has done what it was told to."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
