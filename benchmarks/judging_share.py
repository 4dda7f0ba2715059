"""Share of a front's processor time that judging takes, at 2,000 and at 50,000 cells.

    python benchmarks/judging_share.py --repeats 2

A default front of 2,000 genes. At 2,000 cells with all of its epochs. At 50,000 with 8 of the 160 that it has unless a
training stops early: ``share`` is that of this short front, ``share_of_all_epochs`` what it would be of the whole one,
whose training takes as many times longer. Counted as judging: the curve along the path, every point, and all points
together. Writes results/judging_share.csv. Aim: at most 25 %.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
import torch

import scpareto as sp

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULT = Path(__file__).parent / "results" / "judging_share.csv"
EPOCHS: dict[int, dict[str, int]] = {2000: {}, 50_000: {"max_epochs": 8, "max_epochs_pretrain": 4}}
ALL_EPOCHS = {2000: None, 50_000: 160}
JUDGING = ("_along_path.judge_path", "_along_path._judge_places", "_train_front.judge_run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", choices=EPOCHS, default=list(EPOCHS))
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = pd.read_csv(RESULT).to_dict("records") if RESULT.exists() else []
    rows = [row for row in rows if row["n_cells"] not in arguments.cells]
    for n_cells in arguments.cells:
        for repeat in range(arguments.repeats):
            rows.append({"n_cells": n_cells, "seed": repeat} | measured(n_cells, repeat))
            print(rows[-1], flush=True)
            pd.DataFrame(rows).sort_values(["n_cells", "seed"]).to_csv(RESULT, index=False, float_format="%.4g")


def measured(n_cells: int, seed: int) -> dict[str, Any]:
    """Seconds of the processor of one front, and of its judging."""
    adata = sp.datasets.simulate_batches(n_cells, 2000, n_batches=4, n_types=12, seed=seed)
    sp.model.ParetoVI.setup_anndata(adata, batch_key="batch")
    model = sp.model.ParetoVI(adata, seed=seed)
    spent: list[float] = []
    begun = time.process_time()
    with timed(spent):
        model.train(progress=False, **EPOCHS[n_cells])
    whole = time.process_time() - begun
    judging, epochs = sum(spent), model.front.metadata["max_epochs"]
    longer = (ALL_EPOCHS[n_cells] or epochs) / epochs
    return {
        "epochs": epochs,
        "front_seconds": whole,
        "judging_seconds": judging,
        "share": judging / whole,
        "share_of_all_epochs": judging / (judging + longer * (whole - judging)),
    }


@contextmanager
def timed(spent: list[float]) -> Iterator[None]:
    """Note the seconds of every piece of judging."""
    with ExitStack() as stack:
        for place in JUDGING:
            module, name = place.split(".")
            original = getattr(getattr(sp.front, module), name)

            def noted(*given: Any, _original: Any = original, **options: Any) -> Any:
                begun = time.process_time()
                try:
                    return _original(*given, **options)
                finally:
                    spent.append(time.process_time() - begun)

            stack.enter_context(patch(f"scpareto.front.{place}", noted))
        yield


if __name__ == "__main__":
    main()
