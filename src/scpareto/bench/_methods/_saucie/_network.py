"""SAUCIE's autoencoder in its batch mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from scpareto.bench._methods._autoencoder import AutoencoderModule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

_OTHER_BATCH_WEIGHT = 0.01
_EPSILON = 1e-6


class SaucieNetwork(nn.Module):
    """Autoencoder with layers of 512, 256 and 128 units on both sides of the code.

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

    The largest batch is the reference. The error of a cell is its mean squared error over genes. For cells of other
    batches it has weight 0.01, after each gene has been standardised among the cells of their batch in the minibatch.
    Cells of batch :math:`b` have weight :math:`n / n_b`, so that the mean over all cells is the published sum over
    batches of their means.

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
    For the largest batch a shift of all genes is an error; for other batches it is not, because genes are standardised:

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
        for rows, weight, batch_error in iterate_batch_errors(output, target, batch, self.reference):
            errors = errors.masked_scatter(rows, weight * batch_error.mean(1))
        return errors * (self.batch_sizes.sum() / self.batch_sizes.clamp(min=1.0))[batch]


def iterate_batch_errors(
    output: Tensor, x: Tensor, batch: Tensor, reference: int
) -> Iterator[tuple[Tensor, float, Tensor]]:
    """Yield squared errors of the reference, and of each other batch after its genes have been standardised.

    Parameters
    ----------
    output, x
        Reconstruction and its target, shape ``(n_cells, n_genes)``.
    batch
        Number of each cell's batch, shape ``(n_cells,)``.
    reference
        Number of the reference.

    Yields
    ------
    Mask of the cells of a batch, shape ``(n_cells,)``; the weight of the batch, 1 for the reference and 0.01 for
    others; and errors, shape ``(n_cells_of_batch, n_genes)``. Batches with a single cell are left out, except for the
    reference.
    """
    in_reference = batch == reference
    if in_reference.any():
        yield in_reference, 1.0, (output[in_reference] - x[in_reference]).square()
    for other in batch[~in_reference].unique():
        rows = batch == other
        if rows.sum() > 1:
            yield rows, _OTHER_BATCH_WEIGHT, (_standardize(output[rows]) - _standardize(x[rows])).square()


def _standardize(values: Tensor) -> Tensor:
    variance, mean = torch.var_mean(values, 0, correction=0)
    return (values - mean) / (variance + _EPSILON).sqrt()


def _layers(sizes: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])
