"""A front by one training in one process and in two: leakage, generative loss and time.

    python benchmarks/distributed.py --stopping early fixed --seeds 3

Simulated batches, CPU, one thread a process. Both ways have the same minibatch over all processes: 128 cells in one, 64
in each of two. A seed is that of the network, the split of the cells and the training, and the same cells are judged
both ways. Trainings end early, as by default, or all after the same number of epochs. Writes results/distributed.csv, a
row for each front and each of three places, the uncorrected end, the middle and the strongest end; and prints means and
ranges over seeds of one process and of two.
"""

from __future__ import annotations

import argparse
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

TABLE = Path(__file__).parent / "results" / "distributed.csv"
N_CELLS, N_GENES, BATCH_SIZE = 1000, 200, 128
START_EPOCHS = 60
LONGEST = {"early": 120, "fixed": 60}
"""Epochs of the one training where it may end early, and where it may not."""
PLACES = {0.0: "uncorrected end", 0.5: "middle", 1.0: "strongest end"}
MEASURES = ["leakage_mean", "generative_loss_test"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--stopping", nargs="+", choices=LONGEST, default=list(LONGEST))
    parser.add_argument("--worker", nargs=2, metavar=("PROCESSES", "TABLE"), help="train in this process")
    arguments = parser.parse_args()
    if arguments.worker:
        train(arguments.stopping[0], int(arguments.worker[0]), Path(arguments.worker[1]), arguments.seeds)
        return
    with tempfile.TemporaryDirectory() as folder:
        cases = itertools.product(arguments.stopping, (1, 2))
        table = pd.concat([launched(how, n, Path(folder) / f"{how}{n}.csv", arguments.seeds) for how, n in cases])
    if TABLE.exists():
        before = pd.read_csv(TABLE)
        table = pd.concat([before[~before["stopping"].isin(table["stopping"])], table])
    TABLE.parent.mkdir(exist_ok=True)
    table.to_csv(TABLE, index=False, float_format="%.4f")
    print(table.to_string(index=False))
    print(spread(table).round(3).to_string())


def launched(stopping: str, n_processes: int, path: Path, n_seeds: int) -> pd.DataFrame:
    """Start processes as ``torchrun`` would, one training after the other in them, and read what the first writes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    if n_processes > 1:
        shared |= {"WORLD_SIZE": str(n_processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, __file__, "--worker", str(n_processes), str(path)]
    command += ["--stopping", stopping, "--seeds", str(n_seeds)]
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} if n_processes > 1 else {} for rank in range(n_processes)]
    started = [subprocess.Popen(command, env=os.environ | shared | rank) for rank in ranks]
    try:
        if any(process.wait() for process in started):
            raise RuntimeError(f"A training in {n_processes} processes failed; see above.")
    finally:
        for process in started:
            process.kill()
    return pd.read_csv(path)


def train(stopping: str, n_processes: int, path: Path, n_seeds: int) -> None:
    """Train a front for each seed."""
    import torch

    import scpareto as sp
    from scpareto._runtime._processes import is_first_process

    torch.set_num_threads(1)
    adata = sp.datasets.simulate_batches(N_CELLS, N_GENES, batch_strength=1.5, type_strength=1.3, seed=0)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    together = {"devices": n_processes, "strategy": "ddp"} if n_processes > 1 else {}
    tables = []
    for seed in range(n_seeds):
        model = sp.model.ParetoVI(adata, n_hidden=64, seed=seed)
        begun, computed = time.perf_counter(), time.process_time()
        model.train(
            START_EPOCHS + LONGEST[stopping],
            max_epochs_pretrain=START_EPOCHS,
            method="conditional",
            preferences=[0.25, 0.5],
            batch_size=BATCH_SIZE // n_processes,
            plan_kwargs={"early_stopping": stopping == "early"},
            accelerator="cpu",
            progress=False,
            **together,
        )
        seconds, processor = time.perf_counter() - begun, time.process_time() - computed
        front = model.front.to_dataframe()
        front["place"] = front["preference_classifier"].map(PLACES)
        table = front.loc[front["place"].notna(), ["place", *MEASURES, "n_epochs"]]
        for i, (name, value) in enumerate({"stopping": stopping, "processes": n_processes, "seed": seed}.items()):
            table.insert(i, name, value)
        tables.append(table.assign(seconds=seconds, processor_seconds_each=processor))
        if is_first_process():
            print(tables[-1].to_string(index=False), flush=True)
            pd.concat(tables).to_csv(path, index=False)


def spread(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over seeds, by number of processes."""
    parts = {}
    for measure in MEASURES:
        by_seed = table.groupby(["stopping", "place", "processes"], sort=False)[measure]
        parts[measure] = by_seed.agg(["mean", "min", "max"])
    return pd.concat(parts)


if __name__ == "__main__":
    main()
