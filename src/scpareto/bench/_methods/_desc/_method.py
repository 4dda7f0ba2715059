"""DESC as a method of the benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from scpareto.bench._methods._clustering_input import compute_clustering_input
from scpareto.bench._methods._desc._network import StackedAutoencoder, get_published_widths
from scpareto.bench._methods._desc._training import fit_desc
from scpareto.bench._registry import register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "desc",
    title="DESC",
    family="clustering",
    library="scpareto",
    reference="Li et al. 2020",
    reads_batch=False,
)
def desc(
    cells: Cells,
    *,
    resolution: float = 0.8,
    n_genes: int | None = 1000,
    max_epochs: int = 300,
    max_epochs_clusters: int = 300,
    batch_size: int = 256,
    tolerance: float = 5e-3,
) -> NDArray:
    """Train an autoencoder layer by layer and as a whole, then sharpen soft cluster assignments of its codes.

    The network does not read the batch: cells of different batches are expected to be drawn together by the clusters.

    Parameters
    ----------
    cells
        The cells; the batch is not read.
    resolution
        Resolution of the Leiden clusters of the first codes (published: Louvain), in a graph of ten neighbours.
    n_genes
        Number of most variable genes to use.
    max_epochs
        Epochs of the whole autoencoder, in six equal stages whose learning rates fall tenfold each; each single layer
        is trained for half as many.
    max_epochs_clusters
        Epochs with clustering; targets are updated every five epochs.
    batch_size
        Cells of a minibatch.
    tolerance
        Clustering stops if a smaller share of cells changes its cluster between targets.

    Returns
    -------
    Codes, shape ``(n_cells, 16)`` to ``(n_cells, 128)``, as published by the number of cells.

    References
    ----------
    :cite:p:`Li2020`.
    """
    x = torch.from_numpy(compute_clustering_input(cells, n_genes=n_genes, max_value=6.0)[0])
    network = StackedAutoencoder(x.shape[1], get_published_widths(len(cells)))
    fit_desc(
        network,
        x,
        resolution=resolution,
        max_epochs=max_epochs,
        max_epochs_clusters=max_epochs_clusters,
        batch_size=batch_size,
        tolerance=tolerance,
        seed=cells.seed,
    )
    with torch.no_grad():
        return np.asarray(network.encode(x), dtype=np.float64)
