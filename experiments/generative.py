"""What the experiments on disentanglement and generation have in common: data, models and their sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from shared import data_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

# Small: narrower networks, fewer epochs, and the recipe for GANs that was found to learn in few steps. Full: published.
SETTINGS: dict[str, dict[str, Any]] = {
    "small": {
        "n_cells": 3000,
        "n_genes": 500,
        "n_hidden": [256, 128],
        "epochs": 50,
        "gan": {
            "n_hidden_generator": [128, 128, 128],
            "n_hidden_critic": [128, 64],
            "dropout_rate": 0.0,
            "critic_norm": "none",
            "wide_features": True,
        },
        "gan_training": {
            "max_epochs": 30,
            "batch_size": 64,
            "n_critic": 2,
            "lr": 1e-3,
            "plan_kwargs": {"beta1": 0.0, "beta2": 0.9, "penalty": 1.0, "average": 0.99},
        },
        "n_trees": 100,
    },
    "full": {
        "n_cells": 10_000,
        "n_genes": 4000,
        "n_hidden": [512, 256],
        "epochs": 1000,
        "gan": {},
        "gan_training": {"max_epochs": 1000, "batch_size": 32, "n_critic": 5, "lr": 1e-4},
        "n_trees": 1000,
    },
}
# In the small setting 500 genes must carry what 4,000 do: signal grows with the square root of their number.
STRONGER = {"batch_scale": 0.3, "path_scale": 1.0}


def log_normalised(adata: AnnData, n_genes: int | None = None) -> AnnData:
    """Log-normalised copy, dense, of the most variable genes; counts stay in a layer."""
    import scanpy as sc
    import torch

    adata = adata.copy()
    adata.layers["counts"] = adata.X.copy()
    sc.pp.normalize_total(adata, target_sum=1e4 if adata.n_vars > 1000 else None)
    sc.pp.log1p(adata)
    if n_genes is not None and n_genes < adata.n_vars:
        sc.pp.highly_variable_genes(adata, n_top_genes=n_genes)
        adata = adata[:, adata.var["highly_variable"].to_numpy()].copy()
    adata.X = np.asarray(adata.X.toarray(), dtype=np.float32)
    # numba in the lines above has raised the number of threads that torch shares.
    torch.set_num_threads(1)
    return adata[np.asarray(adata.layers["counts"].sum(axis=1)).ravel() > 0].copy()


def real_cells(dataset: str, n_genes: int) -> AnnData:
    """Log-normalised cells of a file."""
    import anndata

    return log_normalised(anndata.read_h5ad(data_folder() / f"{dataset}.h5ad"), n_genes)


def halves(adata: AnnData, seed: int, share: float = 0.7) -> tuple[AnnData, AnnData]:
    """Training and held-out cells."""
    order = np.random.default_rng(seed).permutation(adata.n_obs)
    cut = round(share * adata.n_obs)
    return adata[np.sort(order[:cut])].copy(), adata[np.sort(order[cut:])].copy()


def autoencoder(adata: AnnData, setting: str, seed: int, **options: Any) -> Any:
    """Trained beta-TCVAE."""
    import scpareto as sp

    size = SETTINGS[setting]
    sp.model.BetaTCVAE.setup_anndata(adata)
    model = sp.model.BetaTCVAE(adata, n_hidden=size["n_hidden"], seed=seed, **options)
    model.train(size["epochs"], train_size=0.95, progress=False, accelerator="cpu", logger=False)
    return model


def posterior(model: Any, adata: AnnData) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the codes of any cells."""
    mean, variance = model.get_latent_representation(adata, return_dist=True)
    return mean, np.sqrt(variance)


def generator(
    adata: AnnData,
    setting: str,
    seed: int,
    codes: tuple[np.ndarray, np.ndarray] | None,
    *,
    on_epoch: Callable[..., None] | None = None,
    training: dict[str, Any] | None = None,
    plan: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Trained MichiGAN on codes and their standard deviations, or an unconditional GAN."""
    import scpareto as sp

    size = SETTINGS[setting]
    keys = {}
    if codes is not None:
        adata.obsm["code"], adata.obsm["code_scale"] = (np.asarray(values, dtype=np.float32) for values in codes)
        keys = {"code_key": "code", "code_scale_key": "code_scale"}
    sp.model.MichiGAN.setup_anndata(adata, **keys)
    model = sp.model.MichiGAN(adata, seed=seed, **size["gan"] | options)
    how = size["gan_training"] | (training or {})
    how["plan_kwargs"] = how.get("plan_kwargs", {}) | (plan or {})
    prepared = {"model": model}
    if on_epoch is None:
        model.train(**how, accelerator="cpu")
    else:
        model.train(**how, accelerator="cpu", on_epoch=lambda epoch, record: on_epoch(prepared["model"], epoch))
    return model
