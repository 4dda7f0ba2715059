"""Input and number of clusters of the deep clustering methods."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import scanpy as sc
from anndata import AnnData

from scpareto._runtime import keep_torch_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


def compute_clustering_input(
    cells: Cells, *, n_genes: int | None, max_value: float = 10.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Compute z-scores of the most variable genes.

    Parameters
    ----------
    cells
        The cells.
    n_genes
        Number of genes, those with the largest normalised dispersion; None for all.
    max_value
        Values are clipped at this absolute value.

    Returns
    -------
    Z-scores, shape ``(n_cells, n_genes)``, and the columns of the genes.
    """
    genes = np.arange(len(cells.genes))
    if n_genes is not None and n_genes < len(genes):
        adata = AnnData(cells.log_normalised)
        with keep_torch_threads(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sc.pp.highly_variable_genes(adata, n_top_genes=n_genes)
        genes = np.flatnonzero(adata.var["highly_variable"].to_numpy())
    expression = cells.log_normalised[:, genes].toarray()
    sd = expression.std(axis=0)
    scaled = (expression - expression.mean(axis=0)) / np.where(sd > 0, sd, 1.0)
    return np.clip(scaled, -max_value, max_value).astype(np.float32), genes


def cluster_leiden(representation: NDArray, *, n_neighbors: int, resolution: float, seed: int) -> NDArray[np.int64]:
    """Compute Leiden clusters of a neighbourhood graph, shape ``(n_cells,)``, numbered from the largest."""
    adata = AnnData(np.asarray(representation, dtype=np.float32))
    with keep_torch_threads():
        sc.pp.neighbors(adata, n_neighbors=min(n_neighbors, adata.n_obs - 1), use_rep="X", random_state=seed)
        sc.tl.leiden(adata, resolution=resolution, random_state=seed, flavor="igraph", n_iterations=2, directed=False)
    return adata.obs["leiden"].astype(int).to_numpy()


def check_n_clusters(cells: Cells, n_clusters: int | None) -> int:
    """Check the number of clusters; None for as many as Leiden finds in principal components at resolution 1."""
    if n_clusters is None:
        labels = cluster_leiden(cells.components, n_neighbors=15, resolution=1.0, seed=cells.seed)
        return max(2, int(labels.max()) + 1)
    if n_clusters < 2 or n_clusters > len(cells):
        raise ValueError(f"n_clusters={n_clusters} must be from 2 to the number of cells, {len(cells)}.")
    return n_clusters
