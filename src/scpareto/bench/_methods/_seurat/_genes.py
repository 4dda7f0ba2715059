"""Select genes that vary within most batches."""

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
"""Spans of the local regression of variance on mean, as shares of the genes; the first is scanpy's default."""


def select_integration_genes(cells: Cells, n_features: int) -> NDArray[np.int64]:
    """Rank genes by the number of batches in which they are variable, ties by their median rank there.

    In each batch, the ``n_features`` genes with the largest standardised variance of counts are variable (scanpy's
    flavour ``seurat_v3``: the variance is divided by the one that the mean predicts).

    Parameters
    ----------
    cells
        The cells.
    n_features
        Number of genes.

    Returns
    -------
    Columns, ascending; all columns if there are no more genes than that.

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
        adata = AnnData(cells.counts[cells.rows(batch)])
        detected = np.asarray(adata.X.sum(axis=0)).ravel() > 0
        adata = adata[:, detected].copy()
        ranks[row, detected] = _rank_genes(adata, min(n_features, adata.n_vars), batch)
    selected = ~np.isnan(ranks)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # genes that no batch selects
        median = np.nanmedian(ranks, axis=0)
    order = np.lexsort((np.nan_to_num(median, nan=np.inf), -selected.sum(axis=0)))
    return np.sort(order[:n_features])


def _rank_genes(adata: AnnData, n_features: int, batch: str) -> NDArray[np.float64]:
    """Rank the variable genes of one batch; NaN for the other genes.

    In few cells many genes have equal means and variances, so that the local regression of variance on mean cannot be
    solved. It is then repeated with a wider span.
    """
    for span in _SPANS:
        with keep_torch_threads(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                sc.pp.highly_variable_genes(adata, flavor="seurat_v3", n_top_genes=n_features, span=span)
            except ValueError:
                continue
        return adata.var["highly_variable_rank"].to_numpy()
    raise ValueError(
        f"method='seurat_cca' finds no variable genes in batch {batch!r} ({adata.n_obs} cells, {adata.n_vars} genes "
        "with a count): the trend of variance with mean cannot be fitted. Give variable genes, 2,000 or fewer."
    )
