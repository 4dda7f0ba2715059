"""Generator of conditional Wasserstein GANs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from scpareto.module import LEAKY, Stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

Output = Literal["linear", "counts", "nb"]
OUTPUTS: tuple[str, ...] = ("linear", "counts", "nb")


class Generator(nn.Module):
    """Generates cells from codes and noise.

    Parameters
    ----------
    n_latent, n_noise, n_output
        Dimensions of a code, of the noise, and genes.
    n_hidden
        Width of each hidden layer.
    dropout_rate
        Dropout after each hidden layer, in training only.
    output
        ``"linear"`` is unbounded; ``"counts"`` and ``"nb"`` give proportions times the library size.

    Examples
    --------
    Expected counts of a cell add up to its library size:

    >>> import torch
    >>> from scpareto.model.michigan import Generator
    >>> generator = Generator(2, 3, 20, n_hidden=[16], output="counts")
    >>> cells = generator(torch.randn(8, 2), torch.randn(8, 3), library=torch.full((8, 1), 1000.0))
    >>> cells.shape, cells.sum(1).round().unique().tolist()
    (torch.Size([8, 20]), [1000.0])
    """

    def __init__(
        self,
        n_latent: int,
        n_noise: int,
        n_output: int,
        *,
        n_hidden: Sequence[int] = (256, 512, 1024),
        dropout_rate: float = 0.2,
        output: Output = "linear",
    ) -> None:
        super().__init__()
        self.output = output
        self.hidden = Stack(
            n_latent + n_noise + (output != "linear"),
            n_hidden,
            activations=[*[LEAKY] * (len(n_hidden) - 1), nn.ReLU],
            dropout_rate=dropout_rate,
        )
        self.head = nn.Linear(n_hidden[-1], n_output)
        self.log_theta = nn.Parameter(torch.zeros(n_output)) if output == "nb" else None
        self.register_buffer("library_moments", torch.tensor([0.0, 1.0]))

    def forward(self, codes: Tensor, noise: Tensor, library: Tensor | None = None) -> Tensor:
        """Return cells on the scale of the output, shape ``(n_cells, n_output)``: expression, or expected counts.

        Parameters
        ----------
        codes, noise
            Shapes ``(n_cells, n_latent)`` and ``(n_cells, n_noise)``.
        library
            Counts of each cell, shape ``(n_cells, 1)``; needed for outputs of counts.
        """
        inputs = [codes, noise]
        if self.output != "linear":
            if library is None:
                raise ValueError(f"output={self.output!r} needs the library size of each cell.")
            moments = self.get_buffer("library_moments")
            inputs.append((torch.log(library) - moments[0]) / moments[1])
        values = self.head(self.hidden(torch.cat(inputs, 1)))
        return values if self.output == "linear" or library is None else library * torch.softmax(values, 1)

    def sample_counts(self, rate: Tensor) -> Tensor:
        """Draw negative-binomial counts; the gradient is that of their gamma-distributed rate (straight-through)."""
        if self.log_theta is None:
            raise ValueError(f"output={self.output!r} has no dispersion; 'nb' has.")
        theta = self.log_theta.clamp(-5, 5).exp()
        gamma = torch.distributions.Gamma(theta.expand_as(rate), (theta / rate.clamp(min=1e-6)), validate_args=False)
        sampled_rate = gamma.rsample()
        return sampled_rate + (torch.poisson(sampled_rate.detach()) - sampled_rate).detach()
