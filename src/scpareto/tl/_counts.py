"""Counts of some genes as annotated data of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from anndata import AnnData

from scpareto._cells import as_rows, in_memory, matrix_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scpareto.tl._modalities import Source


def counts_of(
    source: Source, chosen: NDArray[np.bool_], layer: str | None, keys: Sequence[str | None] | None
) -> AnnData:
    """Copy counts of some genes.

    Parameters
    ----------
    source
        Cells and counts.
    chosen
        Mask of the genes.
    layer
        Layer that gets the counts; None for ``X``.
    keys
        Columns that are copied beside those that are not named after a modality; None for all.
    """
    given, counts = source.adata, _whole(source)
    kept = [name for name in given.obs if keys is None or name in keys or ":" not in str(name)]
    cells = AnnData(obs=given.obs[kept].copy(), var=given.var.loc[chosen].copy())
    values = counts[:, chosen].copy()
    if layer is None:
        cells.X = values
    else:
        cells.layers[layer] = values
    return cells


def depth_of(source: Source) -> NDArray[np.float64]:
    """Return the counts of each cell over all genes, shape ``(n_cells,)``."""
    return np.asarray(_whole(source).sum(axis=1), dtype=np.float64).ravel()


def _whole(source: Source) -> Any:
    """All counts, in memory."""
    given = source.adata
    stored = given.X if source.layer is None else given.layers[source.layer]
    return matrix_of(given, source.layer) if in_memory(stored) else rows_of(as_rows(stored), slice(None))
