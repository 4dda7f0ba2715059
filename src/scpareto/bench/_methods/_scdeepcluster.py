"""scDeepCluster: a denoising autoencoder of counts whose codes are pulled to cluster centres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from scpareto.bench._methods._clustering_input import check_n_clusters
from scpareto.bench._methods._fit_network import fit_network
from scpareto.bench._methods._self_training import SelfTraining
from scpareto.bench._methods._zinb_autoencoder import ZINBAutoencoder
from scpareto.bench._registry import register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from scpareto.bench._cells import Cells


@register_method(
    "scdeepcluster",
    title="scDeepCluster",
    family="clustering",
    library="scpareto",
    reference="Tian et al. 2019",
    reads_batch=False,
)
def scdeepcluster(
    cells: Cells,
    *,
    n_clusters: int | None = None,
    n_genes: int | None = None,
    gamma: float = 1.0,
    noise: float = 2.5,
    max_epochs: int = 400,
    max_epochs_clusters: int = 200,
    batch_size: int = 256,
    tolerance: float = 1e-3,
) -> NDArray:
    """Learn codes from noisy z-scores, then add a loss that sharpens their soft assignments to cluster centres.

    Parameters
    ----------
    cells
        The cells; the batch is not read.
    n_clusters
        Number of clusters; None for as many as Leiden finds. Published comparisons give the true number.
    n_genes
        Number of most variable genes to use; None for all, as published.
    gamma
        Weight of the clustering loss; the likelihood has weight 1 and is averaged over cells and genes.
    noise
        Standard deviation of the noise.
    max_epochs, max_epochs_clusters
        Epochs before and with clustering.
    batch_size
        Cells of a minibatch.
    tolerance
        Clustering stops if a smaller share of cells changes its cluster in an epoch.

    Returns
    -------
    Codes, shape ``(n_cells, 32)``.

    References
    ----------
    :cite:p:`Tian2019`.
    """
    n_clusters = check_n_clusters(cells, n_clusters)
    network = ZINBAutoencoder(cells, n_genes=n_genes, noise=noise)
    all_rows = torch.arange(len(cells))

    def reconstruction_loss(rows: Tensor) -> Tensor:
        return network.compute_reconstruction_error(network.encode(rows), rows)

    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)
    fit_network(network, reconstruction_loss, optimizer, all_rows, max_epochs=max_epochs, batch_size=batch_size)
    clusters = SelfTraining(network.codes(), n_clusters, tolerance=tolerance)

    def total_loss(rows: Tensor) -> Tensor:
        codes = network.encode(rows)
        return network.compute_reconstruction_error(codes, rows) + gamma * clusters.loss(codes, rows)

    fit_network(
        network,
        total_loss,
        torch.optim.Adadelta([*network.parameters(), clusters.centres], lr=1.0, rho=0.95),
        all_rows,
        max_epochs=max_epochs_clusters,
        batch_size=batch_size,
        after_epoch=lambda _: clusters.refresh(network.codes()),
    )
    return np.asarray(network.codes(), dtype=np.float64)
