"""Codes that a user gives to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scpareto._cells import to_canonical

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import ArrayLike, NDArray


def get_obsm_array(adata: AnnData, key: str) -> NDArray[Any]:
    """Return an array of ``adata.obsm``.

    Raises
    ------
    ValueError
        If it is not a numeric matrix.
    """
    values = adata.obsm[key]
    matrix = to_canonical(values if sparse.issparse(values) else np.asarray(values), f"adata.obsm[{key!r}]")
    return np.asarray(matrix.toarray() if sparse.issparse(matrix) else matrix)


def check_codes(codes: ArrayLike, n_latent: int) -> NDArray[np.float32]:
    """Return codes as a finite float32 matrix of ``n_latent`` columns.

    Raises
    ------
    ValueError
        If the shape is wrong or values are not finite.
    """
    z = np.asarray(codes, dtype=np.float32)
    if z.ndim != 2 or z.shape[1] != n_latent:
        raise ValueError(f"codes have shape {z.shape}; the model takes (n_cells, {n_latent}).")
    bad = ~np.isfinite(z).all(axis=1)
    if bad.any():
        raise ValueError(f"codes are NaN or infinite in {int(bad.sum())} of {len(z)} rows.")
    return z
