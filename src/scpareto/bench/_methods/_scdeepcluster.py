"""scDeepCluster: a denoising autoencoder of counts whose codes are pulled to cluster centres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from scpareto.bench._methods._clustering_input import checked_n_clusters
from scpareto.bench._methods._loop import fit_network
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
    """Learn codes from noisy z-scores, then sharpen their soft assignments to centres while counts are still explained.

    Parameters
    ----------
    cells
        The cells; the batch is not read.
    n_clusters
        Clusters; None for as many as Leiden finds. Published comparisons give the true number.
    n_genes
        Most variable genes that are taken; None for all, as published.
    gamma
        Weight of the clustering loss beside the likelihood, which is averaged over cells and genes.
    noise
        Standard deviation of the noise.
    max_epochs, max_epochs_clusters
        Epochs before and with clustering.
    batch_size
        Cells of a minibatch.
    tolerance
        Share of cells that change their cluster in an epoch below which clustering stops.

    Returns
    -------
    Codes, shape ``(n_cells, 32)``.

    References
    ----------
    :cite:p:`Tian2019`.
    """
    n_clusters = checked_n_clusters(cells, n_clusters)
    network = ZINBAutoencoder(cells, n_genes=n_genes, noise=noise)
    everyone = torch.arange(len(cells))

    def likelihood(rows: Tensor) -> Tensor:
        return network.reconstruction(network.encode(rows), rows)

    learner = torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)
    fit_network(network, likelihood, learner, everyone, max_epochs=max_epochs, batch_size=batch_size)
    clusters = SelfTraining(network.codes(), n_clusters, tolerance=tolerance)

    def both(rows: Tensor) -> Tensor:
        codes = network.encode(rows)
        return network.reconstruction(codes, rows) + gamma * clusters.loss(codes, rows)

    fit_network(
        network,
        both,
        torch.optim.Adadelta([*network.parameters(), clusters.centres], lr=1.0, rho=0.95),
        everyone,
        max_epochs=max_epochs_clusters,
        batch_size=batch_size,
        after_epoch=lambda _: clusters.refresh(network.codes()),
    )
    return np.asarray(network.codes(), dtype=np.float64)
