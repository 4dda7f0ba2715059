"""Principal components of expression, the reference against which points are judged."""

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
MAX_FITTED_CELLS = 50_000
"""Most cells to which components are fitted, which bounds the memory; all cells are projected."""


@keep_torch_threads()
def principal_components(
    values: Any,
    *,
    counts: bool = True,
    seed: int = 0,
    max_cells: int = MAX_FITTED_CELLS,
    cells: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Compute principal components of log-normalised expression.

    Parameters
    ----------
    values
        Expression, ``(n_cells, n_genes)``, in memory or in a file; not changed.
    counts
        Whether these are counts, to be normalised to 10,000 a cell and log-transformed.
    seed
        Seed of the solver and of the sample of cells to which components are fitted.
    max_cells
        With more cells than this, components are fitted to a random sample of this size, and all cells are projected.
    cells
        Rows to use, ascending; None for all. Other rows are not read.

    Returns
    -------
    Components, ``(n_cells, min(30, n_cells - 1, n_genes - 1))``.
    """
    values = as_row_matrix(values)
    n_cells, n_genes = values.shape
    if cells is not None:
        n_cells = len(cells)
    if n_cells <= max_cells:
        adata = _log_normalise(read_rows(values, slice(None) if cells is None else cells), counts=counts)
        sc.pp.pca(adata, n_comps=min(N_COMPONENTS, n_cells - 1, n_genes - 1), random_state=seed)
        return np.asarray(adata.obsm["X_pca"], dtype=np.float64)
    chosen = np.sort(np.random.default_rng(seed).choice(n_cells, max_cells, replace=False))
    fitted = Components.fit(read_rows(values, chosen if cells is None else cells[chosen]), counts=counts, seed=seed)
    blocks = []
    for _, block in row_blocks(values, rows=cells):
        for first in range(0, block.shape[0], max_cells):
            blocks.append(fitted(block[first : first + max_cells]))
    return np.concatenate(blocks)


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components fitted to some cells, into which other cells are projected.

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
    def fit(cls, values: Any, *, counts: bool = True, seed: int = 0) -> Components:
        """Fit components to expression in memory, see :func:`principal_components`."""
        sample = _log_normalise(values, counts=counts)
        n_cells, n_genes = sample.shape
        sc.pp.pca(sample, n_comps=min(N_COMPONENTS, n_cells - 1, n_genes - 1), random_state=seed)
        loadings = np.asarray(sample.varm["PCs"], dtype=np.float64)
        return cls(loadings, np.asarray(sample.X.mean(axis=0)).ravel() @ loadings, counts)

    def __call__(self, values: Any) -> NDArray[np.float64]:
        """Project expression in memory; shape ``(n_cells, n_components)``."""
        cells = _log_normalise(values, counts=self.counts)
        return np.asarray(cells.X @ self.loadings, dtype=np.float64) - self.centre


def _log_normalise(values: Any, *, counts: bool) -> AnnData:
    """Copy cells into an AnnData, and log-normalise them if they are counts."""
    matrix = sparse.csr_matrix(values) if sparse.issparse(values) else np.asarray(values)
    adata = AnnData(matrix.astype(np.float32, copy=True))
    del matrix, values
    if counts:
        sc.pp.normalize_total(adata, target_sum=1e4)
        sc.pp.log1p(adata)
    return adata
