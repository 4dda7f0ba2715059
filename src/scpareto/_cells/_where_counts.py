"""Where the raw counts are, of data whose matrix holds something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_LOOKED_AT = 50
"""Cells that are looked at."""


def find_counts(adata: AnnData, layer: str | None) -> tuple[str, bool]:
    """Look for whole numbers beside a matrix of fractional values.

    Parameters
    ----------
    adata
        The data.
    layer
        Layer that holds the fractional values; None for ``X``.

    Returns
    -------
    A sentence that says where counts are and how they are taken, empty where none are found; and whether the matrix is
    a scaled or log-normalised form of them, cell by cell.
    """
    some = slice(0, _LOOKED_AT)
    values = _dense((adata.X if layer is None else adata.layers[layer])[some])
    places: dict[str, Any] = {key: adata.layers[key] for key in adata.layers if key not in (layer, None)}
    told = {key: f"The counts are in adata.layers[{key!r}]: give layer={key!r}." for key in places}
    if layer is not None and adata.X is not None:
        places["X"], told["X"] = adata.X, "The counts are in adata.X: leave layer out."
    if adata.raw is not None and adata.var_names.isin(adata.raw.var_names).all():
        places["raw"] = adata.raw[:, adata.var_names].X
        told["raw"] = (
            "The counts are in adata.raw: adata.layers['counts'] = adata.raw[:, adata.var_names].X, and give "
            "layer='counts'."
        )
    for key, matrix in places.items():
        counts = _dense(matrix[some])
        if counts.any() and (counts >= 0).all() and np.array_equal(counts, np.floor(counts)):
            return told[key], _is_normalised(values, counts)
    return "", False


def _is_normalised(values: NDArray[np.float64], counts: NDArray[np.float64]) -> bool:
    """Whether the values of a cell follow from its counts: its scaled logarithm, as scanpy and Seurat take it."""
    if not np.array_equal(values > 0, counts > 0):
        return False
    logged = _is_constant(np.where(counts > 0, np.expm1(np.minimum(values, 50)) / np.maximum(counts, 1), np.nan))
    # A scale that all cells share is that of a corrected count, such as 0.9 of it; one of each cell is its depth.
    ratio = np.where(counts > 0, values / np.maximum(counts, 1), np.nan)
    per_cell = _is_constant(ratio) and not _is_constant(ratio.reshape(1, -1))
    return logged or per_cell


def _is_constant(scale: NDArray[np.float64]) -> bool:
    """Whether each row has one value, rounding aside."""
    known = scale[np.isfinite(scale).any(axis=1)]
    low, high = np.nanmin(known, axis=1), np.nanmax(known, axis=1)
    return bool((high - low <= 1e-3 * np.abs(high)).all())


def _dense(values: Any) -> NDArray[np.float64]:
    return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float64)
