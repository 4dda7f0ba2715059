"""Cluster the cells of an embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import check_key_added, read_records, write_record
from scpareto._constants import CLUSTERS_KEY
from scpareto._runtime import check_seed, check_whole_number
from scpareto.metrics import CLUSTERERS, cluster_codes, number_of_clusters
from scpareto.tl._judge_inputs import get_codes

if TYPE_CHECKING:
    from anndata import AnnData


def cluster(
    adata: AnnData,
    use_rep: str,
    n_clusters: int | None = None,
    *,
    method: str = "kmeans",
    key_added: str = "clusters",
    seed: int = 0,
    **options: float,
) -> None:
    """Cluster the cells of an embedding; writes ``adata.obs[key_added]``.

    Parameters
    ----------
    adata
        Cells.
    use_rep
        Embedding in ``adata.obsm``, shape ``(n_cells, n_latent)``.
    n_clusters
        Number of clusters. None: the number from 2 to 30 whose K-means clusters have the largest mean silhouette, among
        at most 5,000 cells. Not used by ``"leiden"``, which finds the number itself.
    method
        ``"kmeans"``; ``"spectral"``, on the graph of 15 neighbours; ``"robust_spectral"``, the same without the few
        edges that disturb it most :cite:p:`Bojchevski2017`; ``"leiden"``, communities of that graph.
    key_added
        Column of ``adata.obs`` for the clusters.
    seed
        Seed. Equal seeds give equal clusters.
    **options
        ``resolution`` of ``"leiden"``, 1 unless given; ``n_neighbors``, ``max_removed`` (edges for each cell at most)
        and ``max_removed_share`` of ``"robust_spectral"``.

    Raises
    ------
    KeyError
        If the embedding does not exist; the message names those that do.
    ValueError
        If the method is unknown, the embedding is not finite, or there are more clusters than cells.
    TypeError
        If an option is not one of the method's.

    Notes
    -----
    This function writes ``obs[key_added]``, with categories ``"0"``, ``"1"``, ..., and
    ``uns["scpareto"]["clusters"][key_added]``: embedding, method, number of clusters, seed, and the reason for this
    number.

    Examples
    --------
    >>> import numpy as np
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=90, n_genes=20, n_types=3, seed=0)
    >>> noise = np.random.default_rng(0).normal(scale=0.01, size=(90, 3))
    >>> adata.obsm["X_latent"] = np.eye(3)[adata.obs["cell_type"].cat.codes] + noise
    >>> sp.tl.cluster(adata, "X_latent", seed=1)
    >>> adata.obs["clusters"].nunique(), adata.uns["scpareto"]["clusters"]["clusters"]["reason"]
    (3, '3 K-means clusters have the largest mean silhouette, 0.9...')
    """
    check_key_added(key_added)
    seed = check_seed(seed)
    if method not in CLUSTERERS:
        raise ValueError(f"method={method!r} is unknown. Choose from {', '.join(CLUSTERERS)}.")
    if n_clusters is not None:
        n_clusters = check_whole_number("n_clusters", n_clusters)
    codes = get_codes(adata, use_rep)
    record: dict[str, Any] = {"use_rep": use_rep, "method": method, "seed": seed}
    needs_number, _ = CLUSTERERS[method]
    if n_clusters is None and needs_number:
        estimate = number_of_clusters(codes, seed=seed)
        n_clusters, record["reason"] = estimate.value, estimate.reason
    labels = cluster_codes(codes, method, n_clusters, seed=seed, **options)
    names = [str(number) for number in range(int(labels.max()) + 1)]
    adata.obs[key_added] = pd.Categorical(np.asarray(names)[labels], categories=names)
    write_record(
        adata,
        CLUSTERS_KEY,
        {**read_records(adata).get(CLUSTERS_KEY, {}), key_added: record | {"n_clusters": len(names)}},
    )
