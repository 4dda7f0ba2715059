"""SAUCIE's autoencoder with its batch penalty."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from scpareto.bench._loop import fit_network
from scpareto.bench._registry import Knob, register_method
from scpareto.module._saucie import SaucieNetwork, batch_errors
from scpareto.objectives._kernels import gaussian, group_sums, squared_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from scpareto.bench._cells import Cells

_SCALES = (*(10.0**e for e in range(-6, 1)), 5, 10, 15, 20, 25, 30, 35, 100, *(10.0**e for e in range(3, 7)))
_TINY = 1e-6


@register_method(
    "saucie_mmd",
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

    The largest batch is the reference: its reconstruction counts as it is, that of the others after each gene has been
    standardised within batch and minibatch, and with weight 0.01. The penalty compares each batch with all others,
    which for two batches is the published one. The penalties of SAUCIE's clustering mode are not part of its batch
    mode.

    Parameters
    ----------
    cells
        The cells.
    weight
        Weight of the discrepancy.
    max_epochs
        Epochs at most; training stops on the validation cells.
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


def fit_saucie(
    network: SaucieNetwork,
    x: Tensor,
    batch: Tensor,
    reference: int,
    train: Tensor,
    validation: Tensor,
    *,
    weight: float,
    max_epochs: int,
    batch_size: int,
) -> None:
    """Train a network on reconstruction and discrepancy, and keep the state that was best on the validation cells.

    Parameters
    ----------
    network
        The network.
    x
        Log-normalised expression, shape ``(n_cells, n_genes)``.
    batch
        Number of each cell's batch, shape ``(n_cells,)``.
    reference
        Number of the batch whose reconstruction counts as it is.
    train, validation
        Rows of the cells.
    weight, max_epochs, batch_size
        As in :func:`saucie_mmd`.

    Raises
    ------
    ValueError
        If ``weight`` is negative.
    """
    if weight < 0:
        raise ValueError(f"weight={weight} must not be negative.")
    n_batches = int(batch.max()) + 1

    def loss(rows: Tensor) -> Tensor:
        codes, output = network(x[rows])
        fit = reconstruction(output, x[rows], batch[rows], reference)
        return fit + weight * discrepancy(codes, batch[rows], n_batches)

    learner = torch.optim.Adam(network.parameters(), lr=1e-3)
    fit_network(network, loss, learner, train, validation, max_epochs=max_epochs, batch_size=batch_size)


def reconstruction(output: Tensor, x: Tensor, batch: Tensor, reference: int) -> Tensor:
    """Squared error of the reference, and of the standardised genes of the other batches with weight 0.01."""
    total = output.new_zeros(())
    for _, weight, errors in batch_errors(output, x, batch, reference):
        total = total + weight * errors.mean()
    return total


def discrepancy(codes: Tensor, batch: Tensor, n_batches: int) -> Tensor:
    r"""Mean over batches of the discrepancy of each from all others.

    .. math:: | \overline{k_{bb}} + \overline{k_{rr}} - 2 \overline{k_{br}} |, \qquad
        k = \frac{1}{19} \sum_v \exp\left( -\frac{d^2}{2 v \max d^2} \right)

    with means over all pairs, themselves included. Batches with less than two cells on either side count 0.
    """
    largest = squared_distances(codes, codes).max().clamp(min=_TINY)
    sums = group_sums(partial(gaussian, variances=_SCALES), (codes / largest.sqrt())[None], batch, n_batches)
    counts = torch.bincount(batch, minlength=n_batches).to(codes.dtype)
    rest = len(codes) - counts
    within = sums.diagonal()
    across = sums.sum(1) - within
    within_rest = sums.sum() - within - 2 * across
    squared = (
        within / counts.clamp(min=1).square()
        + within_rest / rest.clamp(min=1).square()
        - 2 * across / (counts * rest).clamp(min=1)
    ).abs()
    compared = (counts > 1) & (rest > 1)
    return torch.where(compared, squared, 0.0).sum() / compared.sum().clamp(min=1)
