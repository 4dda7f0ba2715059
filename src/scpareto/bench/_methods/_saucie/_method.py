"""SAUCIE as a method of the benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from scpareto.bench._methods._saucie._network import SaucieNetwork
from scpareto.bench._methods._saucie._training import fit_saucie
from scpareto.bench._registry import Knob, register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells


@register_method(
    "saucie_mmd",
    title="SAUCIE + MMD",
    family="penalty",
    library="scpareto",
    reference="Amodio et al. 2019",
    inductive=True,
    knob=Knob("weight", (0.01, 0.1, 1.0, 10.0)),
)
def saucie_mmd(
    cells: Cells, *, weight: float = 0.1, max_epochs: int = 200, n_latent: int = 2, batch_size: int = 256
) -> NDArray:
    """Encode log-normalised expression in two dimensions whose distribution is the same in all batches.

    The largest batch is the reference. Its reconstruction error has weight 1; that of the other batches has weight 0.01
    and is computed after each gene has been standardised within batch and minibatch. The penalty compares each batch
    with all others, which for two batches is the published one. SAUCIE's batch mode does not use the penalties of its
    clustering mode.

    Parameters
    ----------
    cells
        The cells.
    weight
        Weight of the discrepancy.
    max_epochs
        Largest number of epochs; validation cells decide when training stops.
    n_latent
        Dimensions of the code; 2 as published.
    batch_size
        Cells of a minibatch.

    Returns
    -------
    Codes, shape ``(n_cells, n_latent)``.

    References
    ----------
    :cite:p:`Amodio2019`.
    """
    x = torch.from_numpy(cells.log_normalised.toarray())
    batch = torch.from_numpy(cells.batch_codes)
    reference = int(batch[cells.rows(cells.batches[0])[0]])
    network = SaucieNetwork(x.shape[1], n_latent)
    fit_saucie(
        network,
        x,
        batch,
        reference,
        torch.from_numpy(cells.split.train),
        torch.from_numpy(cells.split.validation),
        weight=weight,
        max_epochs=max_epochs,
        batch_size=batch_size,
    )
    with torch.no_grad():
        return np.asarray(network.encode(x), dtype=np.float64)
