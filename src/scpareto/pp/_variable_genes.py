"""Select genes that vary within batches, without changing the input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData

from scpareto._cells import as_row_matrix, get_matrix, is_in_memory, read_rows
from scpareto._runtime import check_whole_number, keep_torch_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def variable_genes(
    adata: AnnData, n_top_genes: int | None, *, batch_key: str, layer: str | None, always: Sequence[str] = ()
) -> NDArray[np.bool_]:
    """Mark the genes that vary most within batches.

    Parameters
    ----------
    adata
        Cells with raw counts; not changed.
    n_top_genes
        Number of genes; None or 0 for all.
    batch_key
        Column of ``adata.obs`` with the batches.
    layer
        Layer of the counts; None for ``adata.X``.
    always
        Names of genes that are always selected, in addition to those that vary most.

    Returns
    -------
    Mask, shape ``(n_genes,)``.

    Raises
    ------
    ValueError
        If the number is not valid, or a cell has no counts in these genes.
    """
    if n_top_genes is not None:
        check_whole_number("n_top_genes", n_top_genes, least=0)
    if not n_top_genes or n_top_genes >= adata.n_vars:
        return np.ones(adata.n_vars, dtype=bool)
    stored = adata.X if layer is None else adata.layers[layer]
    counts = get_matrix(adata, layer) if is_in_memory(stored) else read_rows(as_row_matrix(stored), slice(None))
    # Convert to text and back: scanpy needs categories, and fails on unused ones.
    batch = pd.Categorical(adata.obs[batch_key].astype(str))
    normalised = AnnData(counts.copy(), obs=pd.DataFrame({"batch": batch}, index=np.arange(adata.n_obs).astype(str)))
    with keep_torch_threads():
        sc.pp.normalize_total(normalised, target_sum=1e4)
        sc.pp.log1p(normalised)
        sc.pp.highly_variable_genes(normalised, n_top_genes=n_top_genes, batch_key="batch")
    chosen = normalised.var["highly_variable"].to_numpy(
        dtype=bool, copy=True
    )  # pandas 3 hands out arrays that cannot be written to
    chosen |= adata.var_names.isin(list(always))
    empty = adata.n_obs - int((np.asarray(counts[:, chosen].sum(axis=1)).ravel() > 0).sum())
    if empty:
        raise ValueError(f"{empty} cells have no counts in the selected genes. Raise n_top_genes or remove them.")
    return chosen
