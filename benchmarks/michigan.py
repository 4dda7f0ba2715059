"""Cost of a GAN: seconds and memory of an epoch against data size, and a critic step against a step of the autoencoder.

    python benchmarks/michigan.py --repeats 3

Published networks on 500 and 2,000 genes, one thread, processor time; cells are simulated. Every size runs in a process
of its own, whose peak memory (less that of the imports and the data) is reported. Writes results/michigan.csv.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd

RESULT = Path(__file__).parent / "results" / "michigan.csv"
SIZES = ((1000, 500), (4000, 500), (16_000, 500), (1000, 2000), (4000, 2000))
STEPS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    rows = []
    for n_cells, n_genes in SIZES:
        # A fresh process for each: peak memory never falls.
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            for repeat in range(arguments.repeats):
                rows.append(pool.submit(measure, n_cells, n_genes, arguments.batch_size, repeat).result())
                print(rows[-1], flush=True)
    RESULT.parent.mkdir(exist_ok=True)
    table = pd.DataFrame(rows)
    table.to_csv(RESULT, index=False, float_format="%.4g")
    print(table.groupby(["n_cells", "n_genes"]).median().round(3).to_string())


def measure(n_cells: int, n_genes: int, batch_size: int, repeat: int) -> dict[str, float]:
    """Times of one size."""
    import numpy as np
    import torch

    from scpareto.model.betatcvae import BetaTCVAEModule, TotalCorrelationPlan
    from scpareto.model.michigan import CodedCells, MichiGANModule, WassersteinRecipe, WassersteinTrainer

    torch.set_num_threads(1)
    torch.manual_seed(repeat)
    x = torch.randn(n_cells, n_genes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cells = CodedCells(x, torch.randn(n_cells, 10))
    trainer = WassersteinTrainer(MichiGANModule(n_genes), cells, WassersteinRecipe(batch_size=batch_size))
    trainer.module.train()
    critic, generator = (seconds(step) for step in (trainer.critic_step, trainer.generator_step))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    module = BetaTCVAEModule(n_genes, n_batch=1)
    plan = TotalCorrelationPlan(module, beta=10.0, n_cells=n_cells)
    optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], 1e-3)
    tensors = {"X": x[:batch_size], **{key: torch.zeros(batch_size, 1) for key in ("batch", "labels")}}

    def step() -> None:
        inference, _, loss = module(tensors)
        plan._inference = inference
        total = loss.loss + 10.0 * plan.total_correlation(inference["z"], inference["qz"], None)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()

    autoencoder = seconds(step)
    return {
        "n_cells": n_cells,
        "n_genes": n_genes,
        "batch_size": batch_size,
        "repeat": repeat,
        "critic_step_ms": 1e3 * critic,
        "generator_step_ms": 1e3 * generator,
        "autoencoder_step_ms": 1e3 * autoencoder,
        "critic_to_autoencoder": critic / autoencoder,
        "epoch_seconds": trainer.steps_per_epoch * (5 * critic + generator),
        "peak_memory_mb": float(np.maximum(memory, 0)) / 1024 if repeat == 0 else float("nan"),
    }


def seconds(step) -> float:
    """Median processor time of a step."""
    for _ in range(3):
        step()
    times = []
    for _ in range(STEPS):
        begun = time.process_time()
        step()
        times.append(time.process_time() - begun)
    return sorted(times)[STEPS // 2]


if __name__ == "__main__":
    main()
