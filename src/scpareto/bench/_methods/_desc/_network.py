"""DESC's stacked autoencoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from scpareto.bench._methods._autoencoder import AutoencoderModule, log_normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_MAX_Z_SCORE = 6.0
_WIDTHS = ((20_000, (128, 32)), (10_000, (64, 32)), (5_000, (32, 16)), (2_000, (128,)), (500, (64,)), (0, (16,)))


def get_published_widths(n_cells: int) -> tuple[int, ...]:
    """Return the units of the layers for a number of cells; the last one is the code."""
    return next(sizes for least, sizes in _WIDTHS if n_cells > least)


class StackedAutoencoder(nn.Module):
    """Layers with rectified linear units, and the hyperbolic tangent at the code and at the output.

    Parameters
    ----------
    n_input
        Genes.
    widths
        Units of the layers; the last one is the code.
    """

    def __init__(self, n_input: int, widths: Sequence[int]) -> None:
        super().__init__()
        sizes = [n_input, *widths]
        self.encoder = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        self.decoder = nn.ModuleList(nn.Linear(b, a) for a, b in zip(sizes[:-1], sizes[1:], strict=True))
        for layer in (*self.encoder, *self.decoder):
            nn.init.xavier_uniform_(layer.weight)

    def encode(self, x: Tensor) -> Tensor:
        """Codes, shape ``(n_cells, widths[-1])``."""
        for i in range(len(self.encoder)):
            x = self.encode_layer(i, x)
        return x

    def decode(self, z: Tensor) -> Tensor:
        """Reconstructions, shape ``(n_cells, n_input)``."""
        for i in reversed(range(len(self.decoder))):
            z = self.decode_layer(i, z)
        return z

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruction, shape ``(n_cells, n_input)``."""
        return self.decode(self.encode(x))

    def encode_layer(self, i: int, x: Tensor) -> Tensor:
        """Output of the layer ``i`` of the encoder."""
        values = self.encoder[i](x)
        return torch.tanh(values) if i == len(self.encoder) - 1 else torch.relu(values)

    def decode_layer(self, i: int, x: Tensor) -> Tensor:
        """Output of the decoder layer that mirrors layer ``i`` of the encoder."""
        values = self.decoder[i](x)
        return torch.tanh(values) if i == 0 else torch.relu(values)


class DescModule(AutoencoderModule):
    """DESC's autoencoder of z-scores of log-normalised counts, clipped at 6; it does not read the batch.

    The error of a cell is its mean squared error over genes.

    Parameters
    ----------
    n_input
        Genes.
    widths
        Units of the layers; the last one is the code.

    References
    ----------
    :cite:p:`Li2020`.

    Examples
    --------
    Genes are scaled, and codes lie between -1 and 1:

    >>> import torch
    >>> from scpareto.bench._methods._desc._network import DescModule
    >>> _ = torch.manual_seed(0)
    >>> module, x = DescModule(20, widths=[16, 2]), torch.poisson(torch.full((50, 20), 2.0))
    >>> expression = torch.log1p(1e4 * x / x.sum(1, keepdim=True))
    >>> module.set_scaling(expression.mean(0), expression.std(0))
    >>> module.network_input(x).std(0).mean().round(decimals=2)
    tensor(1.)
    >>> z = module.inference(x)["z"]
    >>> z.shape, bool((z.abs() <= 1).all())
    (torch.Size([50, 2]), True)
    """

    input_mean: Tensor
    input_sd: Tensor

    def __init__(self, n_input: int, widths: Sequence[int]) -> None:
        super().__init__(StackedAutoencoder(n_input, widths), widths[-1])
        self.register_buffer("input_mean", torch.zeros(n_input))
        self.register_buffer("input_sd", torch.ones(n_input))

    def set_scaling(self, mean: Tensor, sd: Tensor) -> None:
        """Set the scaling of genes.

        Parameters
        ----------
        mean, sd
            Mean and standard deviation of every gene's log-normalised expression, shape ``(n_input,)``; a standard
            deviation of 0 counts as 1.
        """
        self.input_mean.copy_(mean)
        self.input_sd.copy_(torch.where(sd > 0, sd, 1.0))

    def network_input(self, x: Tensor) -> Tensor:
        """Z-scores of counts, same shape."""
        return ((log_normalise(x) - self.input_mean) / self.input_sd).clamp(-_MAX_Z_SCORE, _MAX_Z_SCORE)

    def cell_errors(self, output: Tensor, target: Tensor, batch: Tensor) -> Tensor:
        """Error of each cell; see :class:`AutoencoderModule`."""
        return (output - target).square().mean(-1)
