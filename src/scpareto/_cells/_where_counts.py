"""Find raw counts in data whose matrix holds other values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray

_N_CHECKED_CELLS = 50
"""Number of cells that are compared."""


def find_counts(adata: AnnData, layer: str | None) -> tuple[str, bool]:
    """Look for whole numbers in the other matrices of data with a matrix of fractional values.

    Parameters
    ----------
    adata
        The data.
    layer
        Layer that holds the fractional values; None for ``X``.

    Returns
    -------
    A sentence that says where the counts are and how to use them, empty if there are none; and whether the matrix holds
    these counts scaled by cell or log-normalised.
    """
    sample = slice(0, _N_CHECKED_CELLS)
    values = _dense((adata.X if layer is None else adata.layers[layer])[sample])
    matrices: dict[str, Any] = {key: adata.layers[key] for key in adata.layers if key not in (layer, None)}
    hints = {key: f"The counts are in adata.layers[{key!r}]: give layer={key!r}." for key in matrices}
    if layer is not None and adata.X is not None:
        matrices["X"], hints["X"] = adata.X, "The counts are in adata.X: leave layer out."
    if adata.raw is not None and adata.var_names.isin(adata.raw.var_names).all():
        matrices["raw"] = adata.raw[:, adata.var_names].X
        hints["raw"] = (
            "The counts are in adata.raw: adata.layers['counts'] = adata.raw[:, adata.var_names].X, and give "
            "layer='counts'."
        )
    for key, matrix in matrices.items():
        counts = _dense(matrix[sample])
        if counts.any() and (counts >= 0).all() and np.array_equal(counts, np.floor(counts)):
            return hints[key], _is_normalised(values, counts)
    return "", False


def _is_normalised(values: NDArray[np.float64], counts: NDArray[np.float64]) -> bool:
    """Return whether values are counts scaled by cell, or log-normalised as in scanpy and Seurat."""
    if not np.array_equal(values > 0, counts > 0):
        return False
    logged = _is_constant(np.where(counts > 0, np.expm1(np.minimum(values, 50)) / np.maximum(counts, 1), np.nan))
    # A scale that all cells share comes from corrected counts (such as 0.9 of them); a scale per cell from depth.
    ratio = np.where(counts > 0, values / np.maximum(counts, 1), np.nan)
    per_cell = _is_constant(ratio) and not _is_constant(ratio.reshape(1, -1))
    return logged or per_cell


def _is_constant(scale: NDArray[np.float64]) -> bool:
    """Return whether each row is constant up to rounding; NaN is ignored."""
    finite_rows = scale[np.isfinite(scale).any(axis=1)]
    low, high = np.nanmin(finite_rows, axis=1), np.nanmax(finite_rows, axis=1)
    return bool((high - low <= 1e-3 * np.abs(high)).all())


def _dense(values: Any) -> NDArray[np.float64]:
    return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float64)
