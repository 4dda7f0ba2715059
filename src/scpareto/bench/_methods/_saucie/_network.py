"""SAUCIE's autoencoder in its batch mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from scpareto.bench._methods._autoencoder import AutoencoderModule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

_FAINT = 0.01
_TINY = 1e-6


class SaucieNetwork(nn.Module):
    """Autoencoder with layers of 512, 256 and 128 units either side of the code.

    Parameters
    ----------
    n_genes
        Genes.
    n_latent
        Dimensions of the code, which is linear, as is the output.
    """

    def __init__(self, n_genes: int, n_latent: int) -> None:
        super().__init__()
        self.encoder = _layers([n_genes, 512, 256, 128, n_latent])
        self.decoder = _layers([n_latent, 128, 256, 512, n_genes])

    def encode(self, x: Tensor) -> Tensor:
        """Codes, shape ``(n_cells, n_latent)``."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """Reconstructions, shape ``(n_cells, n_genes)``."""
        return self.decoder(z)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes ``(n_cells, n_latent)`` and reconstructions ``(n_cells, n_genes)``."""
        codes = self.encode(x)
        return codes, self.decode(codes)


class SaucieModule(AutoencoderModule):
    r"""SAUCIE's autoencoder of log-normalised counts.

    The largest batch is the reference. The error of a cell is its mean squared error over genes; cells of other batches
    count 0.01 times theirs after each gene has been standardised among the cells of their batch in the minibatch. With
    cells of batch :math:`b` weighing :math:`n / n_b`, the mean over all cells is the published sum of the means of the
    batches.

    Parameters
    ----------
    n_input
        Genes.
    batch_sizes
        Number of cells of each batch, shape ``(n_batch,)``.
    n_latent
        Dimensions of a code; 2 as published.

    References
    ----------
    :cite:p:`Amodio2019`.

    Examples
    --------
    Cells of the largest batch count as they are. Other batches may be off by a shift of their genes at no cost:

    >>> import torch
    >>> from scpareto.bench._methods._saucie._network import SaucieModule
    >>> module = SaucieModule(3, batch_sizes=[100, 300])
    >>> module.reference
    1
    >>> x, batch = torch.randn(4, 3), torch.tensor([0, 0, 1, 1])
    >>> [round(error, 2) for error in module.cell_errors(x + 1, x, batch).tolist()]  # 1^2, times 400 / 300
    [0.0, 0.0, 1.33, 1.33]
    """

    batch_sizes: Tensor

    def __init__(self, n_input: int, batch_sizes: Sequence[int], n_latent: int = 2) -> None:
        super().__init__(SaucieNetwork(n_input, n_latent), n_latent)
        self.register_buffer("batch_sizes", torch.tensor(batch_sizes, dtype=torch.float32))

    @property
    def reference(self) -> int:
        """Number of the reference batch."""
        return int(self.batch_sizes.argmax())

    def cell_errors(self, output: Tensor, target: Tensor, batch: Tensor) -> Tensor:
        """Error of each cell; see :class:`AutoencoderModule`."""
        errors = output.new_zeros(len(output))
        for rows, weight, of_batch in batch_errors(output, target, batch, self.reference):
            errors = errors.masked_scatter(rows, weight * of_batch.mean(1))
        return errors * (self.batch_sizes.sum() / self.batch_sizes.clamp(min=1.0))[batch]


def batch_errors(output: Tensor, x: Tensor, batch: Tensor, reference: int) -> Iterator[tuple[Tensor, float, Tensor]]:
    """Squared errors of the reference as they are, and of each other batch after its genes have been standardised.

    Parameters
    ----------
    output, x
        Reconstruction, and what was to be reconstructed, shape ``(n_cells, n_genes)``.
    batch
        Number of each cell's batch, shape ``(n_cells,)``.
    reference
        Number of the reference.

    Yields
    ------
    Which cells are of a batch, shape ``(n_cells,)``; the weight of the batch, 1 for the reference and 0.01 for others;
    and errors, shape ``(n_cells_of_batch, n_genes)``. A batch other than the reference with a single cell is left out.
    """
    own = batch == reference
    if own.any():
        yield own, 1.0, (output[own] - x[own]).square()
    for other in batch[~own].unique():
        rows = batch == other
        if rows.sum() > 1:
            yield rows, _FAINT, (_standardised(output[rows]) - _standardised(x[rows])).square()


def _standardised(values: Tensor) -> Tensor:
    variance, mean = torch.var_mean(values, 0, correction=0)
    return (values - mean) / (variance + _TINY).sqrt()


def _layers(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])
