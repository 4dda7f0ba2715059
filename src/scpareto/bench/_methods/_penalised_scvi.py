"""scVI with a penalty on the dependence of its codes on batch, at one fixed weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scvi import REGISTRY_KEYS
from scvi.model import SCVI

from scpareto.bench._methods._fit_network import fit_network
from scpareto.bench._methods._scvi_training import silence_training
from scpareto.train import get_adapter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells
    from scpareto.objectives import Objective

_HEURISTIC_EPOCHS, _HEURISTIC_CELLS = 400, 20_000


def fit_penalised_scvi(
    cells: Cells,
    penalty: Objective,
    *,
    weight: float,
    max_epochs: int | None,
    n_latent: int,
    n_layers: int = 2,
    batch_size: int = 128,
    lr: float = 1e-3,
) -> NDArray:
    """Minimise the negative evidence lower bound of scVI plus ``weight`` times an objective.

    Parameters
    ----------
    cells
        The cells; training cells are fitted, validation cells decide when training stops.
    penalty
        The objective.
    weight
        Its weight, in nats per unit.
    max_epochs
        Largest number of epochs; None for 400 up to 20,000 cells and fewer above, as in scvi-tools.
    n_latent, n_layers
        Architecture.
    batch_size, lr
        Cells of a minibatch and learning rate.

    Returns
    -------
    Posterior means, shape ``(n_cells, n_latent)``.
    """
    if weight < 0:
        raise ValueError(f"weight={weight} must not be negative.")
    adata = cells.as_anndata()
    with silence_training():
        SCVI.setup_anndata(adata, batch_key="batch")
        model = SCVI(adata, n_latent=n_latent, n_layers=n_layers)
    adapter = get_adapter(model)
    x = torch.from_numpy(cells.counts.toarray())
    batch = torch.from_numpy(cells.batch_codes)[:, None]

    def tensors(rows: torch.Tensor) -> dict[str, torch.Tensor]:
        return {
            REGISTRY_KEYS.X_KEY: x[rows],
            REGISTRY_KEYS.BATCH_KEY: batch[rows],
            REGISTRY_KEYS.LABELS_KEY: torch.zeros_like(batch[rows]),
        }

    def loss(rows: torch.Tensor) -> torch.Tensor:
        minibatch = tensors(rows)
        encoded, generative = adapter.forward(minibatch)
        return generative.mean() + weight * penalty(encoded.z, encoded.qz, adapter.context(minibatch))

    network = torch.nn.ModuleList([model.module, penalty])
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, eps=0.01, weight_decay=1e-6)
    epochs = max_epochs or min(_HEURISTIC_EPOCHS, round(_HEURISTIC_CELLS / len(cells) * _HEURISTIC_EPOCHS))
    fit_network(
        network,
        loss,
        optimizer,
        torch.from_numpy(cells.split.train),
        torch.from_numpy(cells.split.validation),
        max_epochs=max(1, epochs),
        batch_size=batch_size,
    )
    with torch.no_grad():
        parts = [adapter.encode(tensors(rows)).qz.loc for rows in torch.arange(len(cells)).split(2048)]
    return np.asarray(torch.cat(parts), dtype=np.float64)
