"""DESC: a stacked autoencoder whose codes are pulled to the clusters of a neighbourhood graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from scpareto.bench._inputs import clustering_input, leiden_clusters
from scpareto.bench._loop import fit_network
from scpareto.bench._registry import register_method
from scpareto.bench._self_training import SelfTraining
from scpareto.module._desc import StackedAutoencoder

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from scpareto.bench._cells import Cells

_WIDTHS = ((20_000, (128, 32)), (10_000, (64, 32)), (5_000, (32, 16)), (2_000, (128,)), (500, (64,)), (0, (16,)))
_EPOCHS_PER_TARGET = 5
_LAYER_RATES, _RATES = (0.1, 0.01, 0.001), (1.0, 0.1, 0.01, 0.001, 0.0001, 0.00001)


@register_method("desc", family="clustering", library="scpareto", reference="Li et al. 2020", reads_batch=False)
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
    """Learn codes layer by layer and as a whole, then sharpen their soft assignments without any reconstruction.

    Nothing tells the network which batch a cell is from: batches are expected to be drawn together by their clusters.

    Parameters
    ----------
    cells
        The cells; the batch is not read.
    resolution
        Resolution of the Leiden clusters of the first codes (published: Louvain), in a graph of ten neighbours.
    n_genes
        Most variable genes that are taken.
    max_epochs
        Epochs of the whole autoencoder, in six equal parts whose learning rates fall tenfold each; a layer by itself is
        trained for half as many.
    max_epochs_clusters
        Epochs with clustering; targets are renewed every five.
    batch_size
        Cells of a minibatch.
    tolerance
        Share of cells that change their cluster between targets below which clustering stops.

    Returns
    -------
    Codes, shape ``(n_cells, 16)`` to ``(n_cells, 128)``, as published by the number of cells.

    References
    ----------
    :cite:p:`Li2020`.
    """
    x = torch.from_numpy(clustering_input(cells, n_genes=n_genes, max_value=6.0)[0])
    network = StackedAutoencoder(x.shape[1], published_widths(len(cells)))
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


def published_widths(n_cells: int) -> tuple[int, ...]:
    """Units of the layers for a number of cells; the last one is the code."""
    return next(sizes for least, sizes in _WIDTHS if n_cells > least)


def fit_desc(
    network: StackedAutoencoder,
    x: Tensor,
    *,
    resolution: float,
    max_epochs: int,
    max_epochs_clusters: int,
    batch_size: int,
    tolerance: float,
    seed: int,
) -> None:
    """Train a network on all cells: its layers, all of it, and its clusters.

    Parameters
    ----------
    network
        The network.
    x
        Z-scores, shape ``(n_cells, n_genes)``.
    resolution, max_epochs, max_epochs_clusters, batch_size, tolerance
        As in :func:`desc`.
    seed
        Seed of the clusters.
    """
    everyone = torch.arange(len(x))
    _pretrain(network, x, everyone, max_epochs, batch_size)

    def codes() -> Tensor:
        with torch.no_grad():
            return network.encode(x)

    first = leiden_clusters(codes().numpy(), n_neighbors=10, resolution=resolution, seed=seed)
    clusters = SelfTraining(codes(), labels=torch.from_numpy(first), tolerance=tolerance)

    def refresh(epoch: int) -> bool:
        return epoch % _EPOCHS_PER_TARGET == 0 and clusters.refresh(codes())

    encoder = network.encoder
    fit_network(
        encoder,
        lambda rows: clusters.loss(network.encode(x[rows]), rows),
        torch.optim.SGD([*encoder.parameters(), clusters.centres], lr=0.01, momentum=0.9),
        everyone,
        max_epochs=max_epochs_clusters,
        batch_size=batch_size,
        after_epoch=refresh,
    )


def _pretrain(network: StackedAutoencoder, x: Tensor, rows: Tensor, max_epochs: int, batch_size: int) -> None:
    """Each layer by itself, with a fifth of its input dropped, then all of them together."""
    below = x
    for i in range(len(network.encoder)):
        layers = nn.ModuleList([network.encoder[i], network.decoder[i]])

        def of_layer(some: Tensor, i: int = i, below: Tensor = below) -> Tensor:
            kept = nn.functional.dropout(below[some], 0.2, training=True)
            return (network.down(i, network.up(i, kept)) - below[some]).square().mean()

        for rate in _LAYER_RATES:
            epochs = max(1, max_epochs // (2 * len(_LAYER_RATES)))
            learner = torch.optim.SGD(layers.parameters(), lr=rate, momentum=0.9)
            fit_network(layers, of_layer, learner, rows, max_epochs=epochs, batch_size=batch_size)
        with torch.no_grad():
            below = network.up(i, below)
    for rate in _RATES:
        learner = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9)
        fit_network(
            network,
            lambda some: (network(x[some]) - x[some]).square().mean(),
            learner,
            rows,
            max_epochs=max(1, max_epochs // len(_RATES)),
            batch_size=batch_size,
        )
