"""Real cells for the calibration of the judge: counts, labels and embeddings that have lost nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from shared import data_folder

N_REFERENCE, N_OTHER = 30, 20


@dataclass(frozen=True)
class Cells:
    """Counts of all genes, labels, and components of the variable genes."""

    counts: Any
    genes: list[str]
    variable: np.ndarray
    obs: Any
    components: np.ndarray


def real_cells(
    dataset: str,
    n_cells: int,
    *,
    rng: np.random.Generator,
    where: tuple[str, str] | None = None,
    n_genes: int = 2000,
    batch_key: str | None = None,
) -> Cells:
    """Draw cells of a data set, or of one batch of it, in a random order."""
    import scanpy as sc

    adata = sc.read_h5ad(data_folder() / f"{dataset}.h5ad")
    if where is not None:
        adata = adata[adata.obs[where[0]].astype(str) == where[1]]
    adata = adata[rng.permutation(adata.n_obs)[:n_cells]].copy()
    sc.pp.filter_genes(adata, min_cells=3)
    sc.pp.filter_cells(adata, min_counts=20)
    counts = adata.X.tocsr().copy()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, n_top_genes=min(n_genes, adata.n_vars // 2), batch_key=batch_key)
    variable = adata.var["highly_variable"].to_numpy()
    components = components_of(adata.X[:, variable], N_REFERENCE)
    return Cells(counts, list(adata.var_names), variable, adata.obs.copy(), components)


def components_of(logged: Any, n_components: int) -> np.ndarray:
    """Principal components of log-normalised values."""
    import scanpy as sc
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return np.asarray(sc.pp.pca(logged, n_comps=n_components, random_state=0), dtype=np.float64)


def harmonised(codes: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Harmony of codes at its defaults."""
    import harmonypy
    import pandas as pd

    found = harmonypy.run_harmony(codes, pd.DataFrame({"batch": batch}), "batch", random_state=0, verbose=False)
    corrected = np.asarray(found.Z_corr, dtype=np.float64)
    return corrected if corrected.shape == codes.shape else corrected.T


def centred(codes: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Codes without the mean of each batch."""
    moved = codes.copy()
    for own in np.unique(batch):
        moved[batch == own] -= moved[batch == own].mean(axis=0)
    return moved
