"""Codes that a user gives to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


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
