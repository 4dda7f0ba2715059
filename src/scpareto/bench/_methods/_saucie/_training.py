"""SAUCIE's training: reconstruction in its batch mode, and the discrepancy of the batches."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from scpareto.bench._methods._fit_network import fit_network
from scpareto.bench._methods._saucie._network import iterate_batch_errors
from scpareto.objectives import gaussian, group_sums, squared_distances

if TYPE_CHECKING:
    from torch import Tensor

    from scpareto.bench._methods._saucie._network import SaucieNetwork

_SCALES = (*(10.0**e for e in range(-6, 1)), 5, 10, 15, 20, 25, 30, 35, 100, *(10.0**e for e in range(3, 7)))
_EPSILON = 1e-6


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
    """Train a network on reconstruction and discrepancy, and keep the best state by the validation cells.

    Parameters
    ----------
    network
        The network.
    x
        Log-normalised expression, shape ``(n_cells, n_genes)``.
    batch
        Number of each cell's batch, shape ``(n_cells,)``.
    reference
        Number of the reference batch.
    train, validation
        Rows of the cells.
    weight, max_epochs, batch_size
        As in the method.

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
        fit = compute_reconstruction_error(output, x[rows], batch[rows], reference)
        return fit + weight * compute_discrepancy(codes, batch[rows], n_batches)

    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    fit_network(network, loss, optimizer, train, validation, max_epochs=max_epochs, batch_size=batch_size)


def compute_reconstruction_error(output: Tensor, x: Tensor, batch: Tensor, reference: int) -> Tensor:
    """Return the squared error of the reference plus 0.01 times that of the other batches' standardised genes."""
    total = output.new_zeros(())
    for _, weight, errors in iterate_batch_errors(output, x, batch, reference):
        total = total + weight * errors.mean()
    return total


def compute_discrepancy(codes: Tensor, batch: Tensor, n_batches: int) -> Tensor:
    r"""Compute the mean over batches of the discrepancy of each batch from all others.

    .. math:: | \overline{k_{bb}} + \overline{k_{rr}} - 2 \overline{k_{br}} |, \qquad
        k = \frac{1}{19} \sum_v \exp\left( -\frac{d^2}{2 v \max d^2} \right)

    with means over all pairs, also of a cell with itself. A batch counts 0 if it or its complement has fewer than two
    cells.
    """
    largest = squared_distances(codes, codes).max().clamp(min=_EPSILON)
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
