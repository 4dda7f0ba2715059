"""Copy the counts of some genes into a new AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from anndata import AnnData

from scpareto._cells import as_row_matrix, get_matrix, is_in_memory, read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scpareto.tl._modalities import Source


def copy_counts(
    source: Source, genes: NDArray[np.bool_], layer: str | None, keys: Sequence[str | None] | None
) -> AnnData:
    """Copy the counts of some genes into a new AnnData.

    Parameters
    ----------
    source
        Cells and counts.
    genes
        Mask of the genes.
    layer
        Layer that gets the counts; None for ``X``.
    keys
        Columns named ``"<modality>:<name>"`` that are copied with all other columns; None for all.
    """
    adata, counts = source.adata, _read_counts(source)
    columns = [name for name in adata.obs if keys is None or name in keys or ":" not in str(name)]
    cells = AnnData(obs=adata.obs[columns].copy(), var=adata.var.loc[genes].copy())
    values = counts[:, genes].copy()
    if layer is None:
        cells.X = values
    else:
        cells.layers[layer] = values
    return cells


def compute_depth(source: Source) -> NDArray[np.float64]:
    """Return the counts of each cell over all genes, shape ``(n_cells,)``."""
    return np.asarray(_read_counts(source).sum(axis=1), dtype=np.float64).ravel()


def _read_counts(source: Source) -> Any:
    """Return all counts, in memory."""
    adata = source.adata
    stored = adata.X if source.layer is None else adata.layers[source.layer]
    return get_matrix(adata, source.layer) if is_in_memory(stored) else read_rows(as_row_matrix(stored), slice(None))
