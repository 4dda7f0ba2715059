"""Cost of one training step with each objective and each solver, relative to a plain generative step, in one run.

    python benchmarks/objective_cost.py --repeats 8

A step is that of a front with the default recipe: the steps of the critics where there are any, the objectives, their
gradients, the solver and the step of the model. The yardstick is a step on the generative loss alone of the same
network. Minibatches are fetched beforehand. All kinds of step take turns in each repeat, and are timed by the processor
time of one thread, so that other work on the machine counts little. Objectives are timed with Pareto MTL, solvers with
the classifier objective. Writes results/objective_cost.csv: milliseconds a step and their ratio, a row for each kind of
step and repeat.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
import torch
from scvi.dataloaders import AnnDataLoader

import scpareto as sp
from scpareto.front._build import build_objectives
from scpareto.objectives import Context, flush_denormals, objective_names
from scpareto.pareto import Scaler, get_solver, solver_class, solver_names
from scpareto.train import PRACTICAL, FrontPlan
from scpareto.train._adapter import get_adapter
from scpareto.train._weighing import FixedWeighing, SolverWeighing

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

RESULT = Path(__file__).parent / "results" / "objective_cost.csv"
SOLVER, OBJECTIVE = "pareto_mtl", "classifier"
N_POINTS, BATCH_SIZE = 10, 128


class Trainer:
    """As much of a trainer as a step needs."""

    current_epoch = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10, help="steps of each kind in a repeat")
    arguments = parser.parse_args()
    adata = sp.datasets.simulate_batches(1865, 2000, n_batches=7, n_types=10, seed=0)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    torch.set_num_threads(1)
    kinds = [(objective, SOLVER) for objective in objective_names()]
    kinds += [(OBJECTIVE, solver) for solver in solver_names() if solver != SOLVER]
    plain = stepper(adata, None, SOLVER)
    steppers = {kind: stepper(adata, *kind) for kind in kinds}
    rows = []
    with flush_denormals():
        for step in (plain, *steppers.values()):
            milliseconds(step, arguments.steps)  # first-call costs belong to no side
        for repeat in range(arguments.repeats):
            # The yardstick is read on both sides of what it is compared with.
            before = milliseconds(plain, arguments.steps)
            for (objective, solver), step in steppers.items():
                found = milliseconds(step, arguments.steps)
                after = milliseconds(plain, arguments.steps)
                yardstick = (before + after) / 2
                rows.append(
                    {
                        "objective": objective,
                        "solver": solver,
                        "repeat": repeat,
                        "plain_milliseconds": yardstick,
                        "milliseconds": found,
                        "ratio": found / yardstick,
                    }
                )
                before = after
    RESULT.parent.mkdir(exist_ok=True)
    table = pd.DataFrame(rows)
    table.to_csv(RESULT, index=False, float_format="%.3f")
    print(table.groupby(["objective", "solver"])["ratio"].describe().round(2).to_string())


def stepper(adata: AnnData, objective: str | None, solver: str) -> Callable[[int], None]:
    """Train ``n`` steps on the next minibatches; the generative loss alone where there is no objective."""
    model = sp.model.ParetoVI(adata, seed=0)
    adapter = get_adapter(model)
    batches = list(AnnDataLoader(model.adata_manager, batch_size=BATCH_SIZE, shuffle=True, drop_last=True))
    names = [] if objective is None else [(objective, {})]
    objectives, _ = build_objectives(names, adapter, adata, PRACTICAL, adata.n_obs)
    for built in objectives:
        built.observe(Context.concatenate([adapter.context(batch) for batch in batches]))
    if objective is None:
        weighing = FixedWeighing([1.0])
    else:
        with torch.no_grad():
            level = float(adapter.forward(batches[0])[1].mean())
        grid = solver_class(solver).default_preferences(N_POINTS, 2)
        weighing = SolverWeighing(
            get_solver(solver, preferences=grid, safeguards=PRACTICAL.safeguards),
            grid[N_POINTS // 2],
            Scaler("payoff", [0.5 * level, 0.0], [level, 1.0]),
            max_initial_epochs=0,
        )
    plan = FrontPlan(adapter, objectives, weighing, PRACTICAL, lr=PRACTICAL.lr_front)
    optimizers = plan.configure_optimizers()
    plan.optimizers = lambda: optimizers if len(optimizers) > 1 else optimizers[0]
    # Lightning keeps a weak reference only.
    plan.kept = plan.trainer = Trainer()
    plan.train()
    taken = 0

    def steps(n: int) -> None:
        nonlocal taken
        for _ in range(n):
            plan.training_step(batches[taken % len(batches)], taken)
            taken += 1

    return steps


def milliseconds(steps: Callable[[int], None], n: int) -> float:
    """Processor time of a step."""
    begun = time.process_time()
    steps(n)
    return 1000 * (time.process_time() - begun) / n


if __name__ == "__main__":
    main()
