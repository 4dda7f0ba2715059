"""Soft clusters that objectives are conditioned on: given by the user, or computed once before the front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from scipy.sparse import issparse
from scvi import REGISTRY_KEYS
from sklearn.mixture import GaussianMixture

from scpareto._cells import principal_components
from scpareto._runtime import keep_torch_threads
from scpareto.front._composition import Composition, measure_composition
from scpareto.metrics import shared_populations
from scpareto.train import get_context

if TYPE_CHECKING:
    from anndata import AnnData
    from numpy.typing import NDArray
    from scvi.data import AnnDataManager
    from torch import Tensor

    from scpareto.train import VAEAdapter

FROM_CORRECTED, FROM_PCA = "corrected", "pca"
COMPUTED = (FROM_CORRECTED, FROM_PCA)
"""Clusterings that are computed rather than read from the data."""
DEFAULT_N_CLUSTERS = 10
POPULATIONS = "populations"
"""Populations that batches share, computed as by the judge: clusters within batches, matched across batches."""
AUTO = "auto"
"""Shared populations if the composition differs between levels of the nuisance; otherwise no clusters."""


@dataclass(frozen=True)
class Clustering:
    """Soft clusters of all cells.

    Parameters
    ----------
    name
        ``"corrected"``, ``"pca"``, ``"populations"``, or a key of ``obs`` or ``obsm``.
    n_clusters
        Number of clusters.
    memberships
        Shape ``(n_cells, n_clusters)``, rows sum to one; None until they are computed.
    """

    name: str
    n_clusters: int
    memberships: Tensor | None = None


def read_clustering(adata: AnnData, name: str, n_clusters: int | None = None) -> Clustering:
    """Return the clustering of a name.

    Parameters
    ----------
    adata
        The data.
    name
        ``"corrected"`` for clusters of the shared start's codes, ``"pca"`` for those of uncorrected principal
        components, a column of ``obs`` for given clusters, or a matrix of ``obsm`` for soft memberships.
    n_clusters
        Number of clusters to compute, 10 by default; None for given clusters.

    Raises
    ------
    KeyError
        If no clustering or key has this name.
    ValueError
        If memberships are negative or do not sum to one; if clusters are missing for some cells or are not categories;
        or if their number is not a whole number from two to the number of cells, or not that of the given clusters.
    """
    if not isinstance(name, str):
        raise ValueError(f"given={name!r} must be the name of one clustering.")
    if name in COMPUTED:
        clustering = Clustering(name, DEFAULT_N_CLUSTERS if n_clusters is None else n_clusters)
    elif name in adata.obs:
        if pd.api.types.is_float_dtype(adata.obs[name]):
            raise ValueError(f"given={name!r}: adata.obs[{name!r}] holds numbers, not clusters. Make it categorical.")
        if adata.obs[name].isna().any():
            raise ValueError(
                f"given={name!r}: adata.obs[{name!r}] has missing values. Fill them or remove those cells."
            )
        table = pd.get_dummies(adata.obs[name].astype(str)).to_numpy(dtype=np.float32)
        clustering = Clustering(name, table.shape[1], torch.from_numpy(table))
    elif name in (adata.obsm or ()):
        clustering = _read_memberships(name, adata.obsm[name])
    else:
        choices = ", ".join(map(repr, (*COMPUTED, POPULATIONS, *adata.obs, *(adata.obsm or ()))))
        raise KeyError(f"given={name!r} is neither a clustering nor a key of obs or obsm. Choose from {choices}.")
    if isinstance(clustering.n_clusters, bool) or not isinstance(clustering.n_clusters, int | np.integer):
        raise ValueError(f"n_clusters={clustering.n_clusters!r} is not a whole number.")
    if not 2 <= clustering.n_clusters <= adata.n_obs:
        raise ValueError(f"given={name!r} has {clustering.n_clusters} clusters; give from 2 to {adata.n_obs}.")
    if n_clusters not in (None, clustering.n_clusters):
        raise ValueError(f"n_clusters={n_clusters}: given={name!r} has {clustering.n_clusters} clusters of its own.")
    return clustering


@keep_torch_threads()
def population_clusters(
    adapter: VAEAdapter, manager: AnnDataManager, target: str, n_clusters: int | None = None
) -> Clustering:
    """Compute the populations that levels of a nuisance share, as hard clusters.

    The cells of a level without a counterpart form a separate cluster, which holds one level only.

    Parameters
    ----------
    adapter, manager
        The model and its registered data.
    target
        Name of a categorical nuisance.
    n_clusters
        Number of clusters within each level, which are then matched across levels; 12 by default.

    Raises
    ------
    ValueError
        If the nuisance is continuous, or its levels share no population.
    """
    context = get_context(adapter, manager)
    if target not in context.categorical:
        raise ValueError(f"given={POPULATIONS!r}: target={target!r} is continuous; only categories share populations.")
    level = context.categorical[target].numpy()
    labels = _label_shared_populations(adapter, manager, level, n_clusters)
    if labels.max() < 0:
        raise ValueError(f"given={POPULATIONS!r}: levels of {target!r} share no population; give clusters of your own.")
    return _as_clustering(labels, level)


@keep_torch_threads()
def populations_where_unlike(
    adapter: VAEAdapter, manager: AnnDataManager, target: str
) -> tuple[Clustering | None, Composition | None]:
    """Compute the shared populations of a nuisance if the composition differs between its levels.

    Parameters
    ----------
    adapter, manager
        The model and its registered data.
    target
        Name of a nuisance.

    Returns
    -------
    The clustering of :func:`population_clusters`, None if composition is alike or too few cells can be matched; and
    the composition of the levels, None if only one level occurs or the nuisance is continuous.
    """
    context = get_context(adapter, manager)
    if target not in context.categorical:
        return None, None
    level = context.categorical[target].numpy()
    if np.ptp(level) == 0:
        return None, None
    labels = _label_shared_populations(adapter, manager, level, None)
    composition = measure_composition(labels, level)
    return _as_clustering(labels, level) if composition.is_matched else None, composition


def _label_shared_populations(
    adapter: VAEAdapter, manager: AnnDataManager, level: NDArray[np.int64], n_clusters: int | None
) -> NDArray[np.int64]:
    """Return the population of each cell, -1 without a counterpart."""
    values = manager.get_from_registry(REGISTRY_KEYS.X_KEY)
    components = principal_components(values, counts=adapter.takes_counts, seed=0)
    options = {} if n_clusters is None else {"n_clusters": n_clusters}
    return shared_populations(components, level.astype(str), seed=0, **options).labels


def _as_clustering(labels: NDArray[np.int64], level: NDArray[np.int64]) -> Clustering:
    """Return hard clusters: one for each population, and one for each level's cells without a counterpart."""
    n_shared = int(labels.max()) + 1
    number = np.where(labels >= 0, labels, n_shared + level)
    table = np.eye(n_shared + int(level.max()) + 1, dtype=np.float32)[number]
    return Clustering(POPULATIONS, table.shape[1], torch.from_numpy(table))


@keep_torch_threads()
def fit_soft_clusters(codes: NDArray[np.float64], n_clusters: int, *, seed: int = 0) -> Tensor:
    """Compute memberships in components of a Gaussian mixture of diagonal covariances, ``(n_cells, n_clusters)``."""
    scaled = (codes - codes.mean(0)) / np.maximum(codes.std(0), 1e-8)
    mixture = GaussianMixture(n_clusters, covariance_type="diag", n_init=3, reg_covar=1e-3, random_state=seed)
    mixture.fit(scaled)
    return torch.from_numpy(mixture.predict_proba(scaled).astype(np.float32))


def _read_memberships(name: str, stored: Any) -> Clustering:
    try:
        memberships = np.asarray(stored.toarray() if issparse(stored) else stored, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"given={name!r}: adata.obsm[{name!r}] does not hold numbers.") from error
    if memberships.ndim != 2 or not (memberships >= 0).all() or not np.allclose(memberships.sum(1), 1, atol=1e-3):
        raise ValueError(f"given={name!r}: adata.obsm[{name!r}] must hold memberships, rows >= 0 that sum to 1.")
    return Clustering(name, memberships.shape[1], torch.from_numpy(memberships))
