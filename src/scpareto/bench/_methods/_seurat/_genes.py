"""Genes that vary within most batches."""

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

_SPANS = (0.3, 0.5, 0.75, 1.0)
"""Shares of the genes that the regression of variance on mean takes at once; the first is scanpy's."""


def integration_genes(cells: Cells, n_features: int) -> NDArray[np.int64]:
    """Genes ranked by the number of batches in which they are variable, ties by their median rank there.

    Variable are the ``n_features`` genes of largest variance of counts standardised by the variance that the mean
    predicts (scanpy's flavour ``seurat_v3``).

    Parameters
    ----------
    cells
        The cells.
    n_features
        How many genes.

    Returns
    -------
    Columns, ascending; all where there are no more genes than that.

    Raises
    ------
    ValueError
        If the variance of genes cannot be predicted in a batch.
    """
    n_genes = len(cells.genes)
    if n_genes <= n_features:
        return np.arange(n_genes)
    ranks = np.full((len(cells.batches), n_genes), np.nan)
    for row, batch in enumerate(cells.batches):
        own = AnnData(cells.counts[cells.rows(batch)])
        seen = np.asarray(own.X.sum(axis=0)).ravel() > 0
        own = own[:, seen].copy()
        ranks[row, seen] = _ranks(own, min(n_features, own.n_vars), batch)
    selected = ~np.isnan(ranks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # genes that no batch selects
        median = np.nanmedian(ranks, axis=0)
    order = np.lexsort((np.nan_to_num(median, nan=np.inf), -selected.sum(axis=0)))
    return np.sort(order[:n_features])


def _ranks(own: AnnData, n_features: int, batch: str) -> NDArray[np.float64]:
    """Rank the variable genes of one batch; NaN for those that are not.

    In few cells many genes have equal means and variances, so that the local regression of variance on mean cannot be
    solved. It then takes more of the genes at once.
    """
    for span in _SPANS:
        with keep_torch_threads(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                sc.pp.highly_variable_genes(own, flavor="seurat_v3", n_top_genes=n_features, span=span)
            except ValueError:
                continue
        return own.var["highly_variable_rank"].to_numpy()
    raise ValueError(
        f"method='seurat_cca' finds no variable genes in batch {batch!r} ({own.n_obs} cells, {own.n_vars} genes with a "
        "count): the trend of variance with mean cannot be fitted. Give variable genes, 2,000 or fewer."
    )
