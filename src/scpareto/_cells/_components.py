"""Principal components of expression, in which points are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scanpy as sc
from anndata import AnnData
from scipy import sparse

from scpareto._cells._blocks import as_row_matrix, read_rows, row_blocks
from scpareto._runtime import keep_torch_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_COMPONENTS = 30
MOST_FITTED = 50_000
"""Cells that components are fitted to at most, which bounds what is held in memory; all cells are projected."""


@keep_torch_threads()
def principal_components(
    values: Any,
    *,
    counts: bool = True,
    seed: int = 0,
    most: int = MOST_FITTED,
    cells: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Principal components of log-normalised expression.

    Parameters
    ----------
    values
        Expression, ``(n_cells, n_genes)``, in memory or of a file; not changed.
    counts
        Whether these are counts, to be normalised to 10,000 a cell and log-transformed.
    seed
        Seed of the cells that are fitted.
    most
        Number of cells above which a random sample of as many is fitted, and cells are projected block by block.
    cells
        Rows that are wanted, ascending; None for all. Others are not read.

    Returns
    -------
    Components, ``(n_wanted, min(30, n_cells - 1, n_genes - 1))``.
    """
    values = as_row_matrix(values)
    n_cells, n_genes = values.shape
    if cells is not None:
        n_cells = len(cells)
    if n_cells <= most:
        adata = _prepared(read_rows(values, slice(None) if cells is None else cells), counts=counts)
        sc.pp.pca(adata, n_comps=min(N_COMPONENTS, n_cells - 1, n_genes - 1), random_state=seed)
        return np.asarray(adata.obsm["X_pca"], dtype=np.float64)
    chosen = np.sort(np.random.default_rng(seed).choice(n_cells, most, replace=False))
    fitted = Components.of(read_rows(values, chosen if cells is None else cells[chosen]), counts=counts, seed=seed)
    parts = []
    for _, block in row_blocks(values, rows=cells):
        for first in range(0, block.shape[0], most):
            parts.append(fitted(block[first : first + most]))
    return np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components that were fitted to some cells, and into which others are projected.

    Parameters
    ----------
    loadings
        Shape ``(n_genes, n_components)``.
    centre
        Projection of the mean of the fitted cells.
    counts
        Whether expression is counts.
    """

    loadings: NDArray[np.float64]
    centre: NDArray[np.float64]
    counts: bool

    @classmethod
    def of(cls, values: Any, *, counts: bool = True, seed: int = 0) -> Components:
        """Fit components to expression in memory, see :func:`principal_components`."""
        sample = _prepared(values, counts=counts)
        n_cells, n_genes = sample.shape
        sc.pp.pca(sample, n_comps=min(N_COMPONENTS, n_cells - 1, n_genes - 1), random_state=seed)
        loadings = np.asarray(sample.varm["PCs"], dtype=np.float64)
        return cls(loadings, np.asarray(sample.X.mean(axis=0)).ravel() @ loadings, counts)

    def __call__(self, values: Any) -> NDArray[np.float64]:
        """Components of expression in memory, shape ``(n_cells, n_components)``."""
        part = _prepared(values, counts=self.counts)
        return np.asarray(part.X @ self.loadings, dtype=np.float64) - self.centre


def _prepared(values: Any, *, counts: bool) -> AnnData:
    """Copy of some cells, log-normalised if they are counts."""
    matrix = sparse.csr_matrix(values) if sparse.issparse(values) else np.asarray(values)
    adata = AnnData(matrix.astype(np.float32, copy=True))
    del matrix, values
    if counts:
        sc.pp.normalize_total(adata, target_sum=1e4)
        sc.pp.log1p(adata)
    return adata
