"""Write the small saved model of a release, which every later version must load.

    python tests/data/make_release.py 0.1.0

Run once, when a version is released; what is written is never written again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from scpareto.datasets import simulate_batches
from scpareto.model import ParetoVI

PLAN = {"critic_warmup": {"max_epochs": 5}, "de_novo": {"max_epochs": 5}, "n_bootstrap": 5}


def main(version: str) -> None:
    folder = Path(__file__).parent / "releases" / version
    folder.mkdir(parents=True)
    for method in ("pareto_mtl", "conditional"):
        adata = simulate_batches(120, 30, seed=0)
        ParetoVI.setup_anndata(adata, batch_key="batch", labels_key="cell_type")
        model = ParetoVI(adata, n_hidden=8, n_latent=3, n_layers=1, seed=0)
        model.train(15, max_epochs_pretrain=10, method=method, n_points=4, plan_kwargs=PLAN, progress=False)
        model.save(folder / method, save_anndata=True)
        codes = {}
        for number in model.front.numbers:
            model.select(number)
            codes[f"point_{number}"] = model.get_latent_representation()
        np.savez_compressed(folder / method / "codes.npz", **codes)
        model.front.to_dataframe().to_csv(folder / method / "front.csv", index=False)


if __name__ == "__main__":
    main(sys.argv[1])
