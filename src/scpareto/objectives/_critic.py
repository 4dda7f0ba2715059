"""The critic network, which predicts the nuisance from codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

CriticInit = Literal["default", "normal"]


class Critic(nn.Module):
    """Fully connected network with ELU activations.

    Parameters
    ----------
    n_input
        Number of inputs.
    n_output
        Number of outputs.
    n_hidden
        Width of the hidden layers.
    n_layers
        Number of hidden layers.
    init
        ``"default"`` for the initialisation of PyTorch; ``"normal"`` for the published one, weights from
        :math:`N(0, 0.02^2)` and no biases. With the published depth of ten layers the network starts as a numerically
        constant function and needs long training.

    Examples
    --------
    The published initialisation starts as a constant function:

    >>> import torch
    >>> from scpareto.objectives import Critic
    >>> _ = torch.manual_seed(0)
    >>> codes = torch.randn(100, 10)
    >>> Critic(10, 1)(codes).shape
    torch.Size([100, 1])
    >>> [bool(Critic(10, 1, n_layers=10, init=init)(codes).std() > 1e-6) for init in ("default", "normal")]
    [True, False]
    """

    def __init__(
        self, n_input: int, n_output: int, *, n_hidden: int = 128, n_layers: int = 3, init: CriticInit = "default"
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(n_layers):
            layers += [nn.Linear(n_input if i == 0 else n_hidden, n_hidden), nn.ELU()]
        layers.append(nn.Linear(n_hidden, n_output))
        self.layers = nn.Sequential(*layers)
        if init == "normal":
            for layer in self.layers:
                if isinstance(layer, nn.Linear):
                    nn.init.normal_(layer.weight, std=0.02)
                    nn.init.zeros_(layer.bias)
        elif init != "default":
            raise ValueError(f"init={init!r} is not one of default, normal.")

    def forward(self, x: Tensor) -> Tensor:
        """Scores of shape ``(n_cells, n_output)``."""
        return self.layers(x)


class CodeStandardizer(nn.Module):
    """Shift and scale codes by running moments, so that a critic does not depend on the scale of the codes.

    The moments follow the detached codes of the critic's own training steps; gradients flow through the codes only.

    Parameters
    ----------
    n_latent
        Number of dimensions of a code.
    momentum
        Share of the newest minibatch in the running moments.

    Examples
    --------
    >>> import torch
    >>> from scpareto.objectives import CodeStandardizer
    >>> standardizer = CodeStandardizer(1)
    >>> codes = torch.tensor([[4.0], [5.0], [6.0]])
    >>> standardizer.update(codes)
    >>> standardizer(codes).flatten().round(decimals=3).tolist()
    [-1.0, 0.0, 1.0]
    """

    mean: Tensor
    variance: Tensor
    n_updates: Tensor

    def __init__(self, n_latent: int, momentum: float = 0.05) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(n_latent))
        self.register_buffer("variance", torch.ones(n_latent))
        self.register_buffer("n_updates", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def update(self, codes: Tensor) -> None:
        """Move the running moments towards those of ``codes``, shape ``(n_cells, n_latent)``."""
        if len(codes) < 2:
            return
        # The first updates are plain averages, so that the initial zeros and ones are forgotten.
        self.n_updates += 1
        # As a tensor, because reading the number would synchronise the GPU.
        share = self.n_updates.float().reciprocal().clamp(min=self.momentum)
        self.mean.lerp_(codes.mean(0), share)
        self.variance.lerp_(codes.var(0), share)

    def forward(self, codes: Tensor) -> Tensor:
        """Standardised codes, same shape."""
        return (codes - self.mean) / (self.variance + 1e-6).sqrt()
