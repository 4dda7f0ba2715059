"""Soft clusters that objectives are conditioned on: given by the user, or found once before the front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from scipy.sparse import issparse
from sklearn.mixture import GaussianMixture

from scpareto._runtime import torch_threads_kept

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray
    from torch import Tensor

FROM_CORRECTED, FROM_PCA = "corrected", "pca"
FOUND = (FROM_CORRECTED, FROM_PCA)
"""Clusterings that are found by the engine rather than read from the data."""
DEFAULT_N_CLUSTERS = 10


@dataclass(frozen=True)
class Clustering:
    """Soft clusters of all cells.

    Parameters
    ----------
    name
        ``"corrected"``, ``"pca"``, or a key of ``obs`` or ``obsm``.
    n_clusters
        Number of clusters.
    memberships
        Shape ``(n_cells, n_clusters)``, rows sum to one; None until they are found.
    """

    name: str
    n_clusters: int
    memberships: Tensor | None = None


def read_clustering(adata: AnnData, name: str, n_clusters: int | None = None) -> Clustering:
    """Resolve the name of a clustering.

    Parameters
    ----------
    adata
        The data.
    name
        ``"corrected"`` for clusters of the shared start's codes, ``"pca"`` for those of uncorrected principal
        components, a column of ``obs`` for given clusters, or a matrix of ``obsm`` for soft memberships.
    n_clusters
        Number of clusters to find, 10 by default; given ones have their own.

    Raises
    ------
    KeyError
        If there is nothing of this name.
    ValueError
        If memberships are not non-negative rows that sum to one, clusters are missing for some cells or are not
        categories, or their number is not a whole number from two to the number of cells, or not that of given ones.
    """
    if not isinstance(name, str):
        raise ValueError(f"given={name!r} must be the name of one clustering.")
    if name in FOUND:
        found = Clustering(name, DEFAULT_N_CLUSTERS if n_clusters is None else n_clusters)
    elif name in adata.obs:
        if pd.api.types.is_float_dtype(adata.obs[name]):
            raise ValueError(f"given={name!r}: adata.obs[{name!r}] holds numbers, not clusters. Make it categorical.")
        if adata.obs[name].isna().any():
            raise ValueError(
                f"given={name!r}: adata.obs[{name!r}] has missing values. Fill them or remove those cells."
            )
        table = pd.get_dummies(adata.obs[name].astype(str)).to_numpy(dtype=np.float32)
        found = Clustering(name, table.shape[1], torch.from_numpy(table))
    elif name in (adata.obsm or ()):
        found = _soft(name, adata.obsm[name])
    else:
        known = ", ".join(map(repr, (*FOUND, *adata.obs, *(adata.obsm or ()))))
        raise KeyError(f"given={name!r} is neither a clustering nor a key of obs or obsm. Choose from {known}.")
    if isinstance(found.n_clusters, bool) or not isinstance(found.n_clusters, int | np.integer):
        raise ValueError(f"n_clusters={found.n_clusters!r} is not a whole number.")
    if not 2 <= found.n_clusters <= adata.n_obs:
        raise ValueError(f"given={name!r} has {found.n_clusters} clusters; give from 2 to {adata.n_obs}.")
    if n_clusters not in (None, found.n_clusters):
        raise ValueError(f"n_clusters={n_clusters}: given={name!r} has {found.n_clusters} clusters of its own.")
    return found


@torch_threads_kept()
def soft_clusters(codes: NDArray[np.float64], n_clusters: int, *, seed: int = 0) -> Tensor:
    """Memberships in the components of a Gaussian mixture with diagonal covariances, ``(n_cells, n_clusters)``."""
    scaled = (codes - codes.mean(0)) / np.maximum(codes.std(0), 1e-8)
    mixture = GaussianMixture(n_clusters, covariance_type="diag", n_init=3, reg_covar=1e-3, random_state=seed)
    mixture.fit(scaled)
    return torch.from_numpy(mixture.predict_proba(scaled).astype(np.float32))


def _soft(name: str, stored: Any) -> Clustering:
    try:
        memberships = np.asarray(stored.toarray() if issparse(stored) else stored, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"given={name!r}: adata.obsm[{name!r}] does not hold numbers.") from error
    if memberships.ndim != 2 or not (memberships >= 0).all() or not np.allclose(memberships.sum(1), 1, atol=1e-3):
        raise ValueError(f"given={name!r}: adata.obsm[{name!r}] must hold memberships, rows >= 0 that sum to 1.")
    return Clustering(name, memberships.shape[1], torch.from_numpy(memberships))
