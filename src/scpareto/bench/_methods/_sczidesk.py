"""scziDesk: a denoising autoencoder of counts with weighted soft K-means and self-training of cell similarities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from scpareto.bench._methods._clustering_input import check_n_clusters
from scpareto.bench._methods._fit_network import fit_network
from scpareto.bench._methods._zinb_autoencoder import ZINBAutoencoder
from scpareto.bench._registry import register_method
from scpareto.objectives import kmeans_centres, squared_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from scpareto.bench._cells import Cells

_TINY = 1e-12


@register_method(
    "sczidesk",
    title="scziDesk",
    family="clustering",
    library="scpareto",
    reference="Chen et al. 2020",
    reads_batch=False,
)
def sczidesk(
    cells: Cells,
    *,
    n_clusters: int | None = None,
    n_genes: int | None = 500,
    weight_kmeans: float = 1e-3,
    weight_similarity: float = 1e-3,
    noise: float = 1.5,
    max_epochs: int = 1000,
    max_epochs_clusters: int = 500,
    lr: float = 1e-4,
    batch_size: int = 256,
    tolerance: float = 1e-3,
) -> NDArray:
    """Learn codes from noisy z-scores, then tighten soft clusters and the similarities of neighbouring cells.

    Parameters
    ----------
    cells
        The cells; the batch is not read.
    n_clusters
        Number of clusters; None for as many as Leiden finds. Published comparisons give the true number.
    n_genes
        Number of most variable genes to use.
    weight_kmeans, weight_similarity
        Weights of :func:`soft_kmeans` and :func:`similarity_divergence`.
    noise
        Standard deviation of the noise.
    max_epochs, max_epochs_clusters
        Epochs before and with clustering.
    lr
        Learning rate.
    batch_size
        Cells of a minibatch.
    tolerance
        Clustering stops if a smaller share of cells changes its cluster in ten epochs.

    Returns
    -------
    Codes, shape ``(n_cells, 32)``.

    References
    ----------
    :cite:p:`Chen2020`.
    """
    n_clusters = check_n_clusters(cells, n_clusters)
    network = ZINBAutoencoder(cells, n_genes=n_genes, noise=noise)
    all_rows = torch.arange(len(cells))

    def reconstruction_loss(rows: Tensor) -> Tensor:
        return network.compute_reconstruction_error(network.encode(rows), rows, ridge=1.0)

    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    fit_network(network, reconstruction_loss, optimizer, all_rows, max_epochs=max_epochs, batch_size=batch_size)
    centres, labels = kmeans_centres(network.codes(), n_clusters)
    centres = centres.clone().requires_grad_(True)

    def total_loss(rows: Tensor) -> Tensor:
        codes = network.encode(rows)
        return (
            network.compute_reconstruction_error(codes, rows, ridge=1.0)
            + weight_kmeans * compute_soft_kmeans(codes, centres)
            + weight_similarity * compute_similarity_divergence(codes)
        )

    @torch.no_grad()
    def has_converged(epoch: int) -> bool:
        nonlocal labels
        if epoch % 10:
            return False
        previous, labels = labels, squared_distances(network.codes(), centres).argmin(1)
        return float((labels != previous).float().mean()) < tolerance

    fit_network(
        network,
        total_loss,
        torch.optim.Adam([*network.parameters(), centres], lr=lr),
        all_rows,
        max_epochs=max_epochs_clusters,
        batch_size=batch_size,
        after_epoch=has_converged,
    )
    return np.asarray(network.codes(), dtype=np.float64)


def compute_soft_kmeans(codes: Tensor, centres: Tensor) -> Tensor:
    r"""Compute the mean over cells of :math:`\sum_j a_{ij} d_{ij}`.

    Distances :math:`d` are squared. The weights :math:`a` are the softmax of the negative distances, squared and
    normalised again.

    Parameters
    ----------
    codes
        Codes, shape ``(n_cells, n_latent)``.
    centres
        Centres, shape ``(n_clusters, n_latent)``.
    """
    distances = squared_distances(codes, centres)
    # The square of a softmax, normalised again, is the softmax of twice the logits.
    return (torch.softmax(-2 * distances, 1) * distances).sum(1).mean()


def compute_similarity_divergence(codes: Tensor) -> Tensor:
    r"""Compute the divergence of the similarities of cells from a sharpened copy, summed over the minibatch.

    Similarities :math:`P` are Student-t kernels of pairs, without the diagonal and with rows that sum to 1; the
    sharpened copy has their squares, normalised again. Gradients pass through both.

    Parameters
    ----------
    codes
        Codes, shape ``(n_cells, n_latent)``.
    """
    kernel = (1 / (1 + squared_distances(codes, codes))).masked_fill(torch.eye(len(codes), dtype=torch.bool), 0.0)
    similarity = kernel / kernel.sum(1, keepdim=True).clamp(min=_TINY)
    target = similarity.square()
    target = target / target.sum(1, keepdim=True).clamp(min=_TINY)
    return (target * (target.clamp(min=_TINY).log() - similarity.clamp(min=_TINY).log())).sum()
