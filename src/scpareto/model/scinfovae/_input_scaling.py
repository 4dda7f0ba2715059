"""Scaling of ScInfoVAE's input, computed from the registered data without densifying sparse counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse
from scvi import REGISTRY_KEYS

from scpareto._cells import to_canonical

if TYPE_CHECKING:
    from scvi.data import AnnDataManager
    from torch import Tensor

    from scpareto.model.scinfovae._network import InfoVAE


def check_values(manager: AnnDataManager, *, continuous: bool) -> None:
    """Check that values suit the likelihood.

    Parameters
    ----------
    manager
        Registered data.
    continuous
        Whether negative values are allowed.

    Raises
    ------
    ValueError
        If values are not finite, counts are negative, or size factors are missing or not positive.
    """
    values = to_canonical(manager.get_from_registry(REGISTRY_KEYS.X_KEY), "The registered matrix")
    stored = values.data if sparse.issparse(values) else np.asarray(values)
    if not np.isfinite(stored).all():
        raise ValueError(f"the data hold {int((~np.isfinite(stored)).sum())} values that are NaN or infinite.")
    if continuous:
        return
    if (stored < 0).any():
        raise ValueError(
            f"the data hold {int((stored < 0).sum())} negative values. Raw counts are needed, or "
            "gene_likelihood='normal' for continuous values."
        )
    factors = _registered_factors(manager)
    if factors is None:
        empty = int((np.asarray(values.sum(axis=1)).ravel() == 0).sum())
        if empty:
            raise ValueError(
                f"{empty} cells have no counts in the registered genes. Remove them, or register size factors from all "
                "genes: sp.pp.prepare_scinfovae(adata)."
            )
    elif not (np.isfinite(factors) & (factors > 0)).all():
        raise ValueError("size factors must be positive and finite.")


def input_scaling(manager: AnnDataManager, module: InfoVAE) -> tuple[Tensor, Tensor, float]:
    """Compute mean and standard deviation of every gene's input, and the median total count.

    Parameters
    ----------
    manager
        Registered data.
    module
        The network, which knows whether values are continuous.

    Returns
    -------
    Mean and standard deviation, shape ``(n_genes,)``, and the median.
    """
    values: Any = to_canonical(manager.get_from_registry(REGISTRY_KEYS.X_KEY), "The registered matrix")
    totals = np.asarray(values.sum(axis=1), dtype=float).ravel()
    median = 1.0
    if module.continuous:
        u = values.toarray() if sparse.issparse(values) else np.asarray(values, dtype=float)
        mean, square = u.mean(0), (u**2).mean(0)
    else:
        median = max(float(np.median(totals)), 1e-6)
        factors = _registered_factors(manager)
        factors = totals / median if factors is None else factors
        u = sparse.csr_matrix(sparse.diags(1 / factors) @ sparse.csr_matrix(values, dtype=float))
        u.data = np.log1p(u.data)
        mean = np.asarray(u.mean(axis=0)).ravel()
        square = np.asarray(u.multiply(u).mean(axis=0)).ravel()
    sd = np.sqrt(np.maximum(square - mean**2, 0))
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(sd, dtype=torch.float32), median


def _registered_factors(manager: AnnDataManager) -> np.ndarray | None:
    if REGISTRY_KEYS.SIZE_FACTOR_KEY not in manager.data_registry:
        return None
    return np.asarray(manager.get_from_registry(REGISTRY_KEYS.SIZE_FACTOR_KEY), dtype=float).ravel()
