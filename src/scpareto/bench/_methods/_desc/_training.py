"""DESC's training: layer by layer, the whole autoencoder, then its clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from scpareto.bench._methods._clustering_input import cluster_leiden
from scpareto.bench._methods._fit_network import fit_network
from scpareto.bench._methods._self_training import SelfTraining

if TYPE_CHECKING:
    from torch import Tensor

    from scpareto.bench._methods._desc._network import StackedAutoencoder

_EPOCHS_PER_TARGET = 5
_LAYER_RATES, _RATES = (0.1, 0.01, 0.001), (1.0, 0.1, 0.01, 0.001, 0.0001, 0.00001)


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
        As in the method.
    seed
        Seed of the clusters.
    """
    all_rows = torch.arange(len(x))
    _pretrain(network, x, all_rows, max_epochs, batch_size)

    def codes() -> Tensor:
        with torch.no_grad():
            return network.encode(x)

    initial_clusters = cluster_leiden(codes().numpy(), n_neighbors=10, resolution=resolution, seed=seed)
    clusters = SelfTraining(codes(), labels=torch.from_numpy(initial_clusters), tolerance=tolerance)

    def refresh(epoch: int) -> bool:
        return epoch % _EPOCHS_PER_TARGET == 0 and clusters.refresh(codes())

    encoder = network.encoder
    fit_network(
        encoder,
        lambda rows: clusters.loss(network.encode(x[rows]), rows),
        torch.optim.SGD([*encoder.parameters(), clusters.centres], lr=0.01, momentum=0.9),
        all_rows,
        max_epochs=max_epochs_clusters,
        batch_size=batch_size,
        after_epoch=refresh,
    )


def _pretrain(network: StackedAutoencoder, x: Tensor, rows: Tensor, max_epochs: int, batch_size: int) -> None:
    """Train each layer as a denoising autoencoder with 20 % dropout, then all layers together."""
    layer_input = x
    for i in range(len(network.encoder)):
        layers = nn.ModuleList([network.encoder[i], network.decoder[i]])

        def layer_loss(batch_rows: Tensor, i: int = i, layer_input: Tensor = layer_input) -> Tensor:
            corrupted = nn.functional.dropout(layer_input[batch_rows], 0.2, training=True)
            return (
                (network.decode_layer(i, network.encode_layer(i, corrupted)) - layer_input[batch_rows]).square().mean()
            )

        for rate in _LAYER_RATES:
            epochs = max(1, max_epochs // (2 * len(_LAYER_RATES)))
            optimizer = torch.optim.SGD(layers.parameters(), lr=rate, momentum=0.9)
            fit_network(layers, layer_loss, optimizer, rows, max_epochs=epochs, batch_size=batch_size)
        with torch.no_grad():
            layer_input = network.encode_layer(i, layer_input)
    for rate in _RATES:
        optimizer = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9)
        fit_network(
            network,
            lambda batch_rows: (network(x[batch_rows]) - x[batch_rows]).square().mean(),
            optimizer,
            rows,
            max_epochs=max(1, max_epochs // len(_RATES)),
            batch_size=batch_size,
        )
