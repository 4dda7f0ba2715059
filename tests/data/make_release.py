"""Write the small saved models of a release, which every later version must load.

    python tests/data/make_release.py 0.1.0-scvi-1.5

Run once, when a version is released, and once for each minor release of scvi-tools that it works with; what is written
is never written again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import scanpy as sc

from scpareto.datasets import simulate_batches
from scpareto.model import BetaTCVAE, MichiGAN, ParetoVI, ScInfoVAE
from scpareto.pp import prepare_scinfovae

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
    for model in (scinfovae(), betatcvae(), michigan()):
        own = folder / type(model).__name__
        model.save(own, save_anndata=True)
        np.savez_compressed(own / "codes.npz", given=what_it_gives(model))


def what_it_gives(model: Any) -> np.ndarray:
    """Codes of a model, or the cells that a generator makes."""
    return np.asarray(
        model.generate(n_cells=20, seed=0) if isinstance(model, MichiGAN) else model.get_latent_representation()
    )


def scinfovae() -> ScInfoVAE:
    adata = prepare_scinfovae(simulate_batches(120, 40, n_types=3, seed=0), n_top_genes=30)
    ScInfoVAE.setup_anndata(adata, batch_key="batch")
    model = ScInfoVAE(adata, n_clusters=3, n_hidden=[8, 6], n_latent=3, seed=0)
    model.train(5, 2, progress=False, accelerator="cpu")
    return model


def betatcvae() -> BetaTCVAE:
    adata = simulate_batches(120, 30, seed=0)
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    BetaTCVAE.setup_anndata(adata)
    model = BetaTCVAE(adata, n_hidden=[8, 6], n_latent=3, seed=0)
    model.train(3, progress=False, accelerator="cpu")
    return model


def michigan() -> MichiGAN:
    adata = simulate_batches(120, 30, seed=0)
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    adata.obsm["codes"] = np.asarray(adata.X[:, :3].toarray(), dtype=np.float32)
    MichiGAN.setup_anndata(adata, code_key="codes")
    model = MichiGAN(adata, n_hidden_generator=[8, 8], n_hidden_critic=[8, 6], n_noise=3, seed=0)
    model.train(2, accelerator="cpu")
    return model


if __name__ == "__main__":
    main(sys.argv[1])
