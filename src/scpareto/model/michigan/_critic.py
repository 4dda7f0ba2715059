"""Critic of conditional Wasserstein GANs, and the penalty on its gradient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from scpareto.module import LEAKY, Norm, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

Conditioning = Literal["projection", "concatenation", "none"]
CONDITIONINGS: tuple[str, ...] = ("projection", "concatenation", "none")


class Critic(nn.Module):
    r"""Score of a cell: low for real ones, high for generated ones.

    Parameters
    ----------
    n_input, n_latent
        Genes, and dimensions of a code.
    n_hidden
        Widths of the hidden layers before the features.
    conditioning
        ``"projection"`` (published) adds the inner product of code and features to the score; ``"concatenation"`` takes
        the code as further input; ``"none"`` ignores the code.
    norm
        ``"batch"`` (published), ``"layer"`` or ``"none"``.
    wide_features
        False (published): one rectified feature for each code dimension. True: the last layer of ``n_hidden``, with
        leaky units, gives the features, and a linear map :math:`V` maps them to the code. If there are only a few
        rectified features, all of them can become 0, and the generator gets no gradient.
    n_inferred
        Code dimensions that are predicted from the features; 0 for none.

    Notes
    -----
    With features :math:`h(x)` the score is :math:`w^\top h(x) + b + c^\top V h(x)`, published with :math:`V = I`.
    Without codes, or with all codes 0, it is the score of an unconditional critic.

    Examples
    --------
    >>> import torch
    >>> from scpareto.model.michigan import Critic
    >>> critic = Critic(20, 2, n_hidden=[16])
    >>> x = torch.randn(8, 20)
    >>> critic(x, torch.randn(8, 2)).shape, critic.features(x, torch.zeros(8, 2)).shape
    (torch.Size([8]), torch.Size([8, 2]))
    """

    def __init__(
        self,
        n_input: int,
        n_latent: int,
        *,
        n_hidden: Sequence[int] = (1024, 512),
        conditioning: Conditioning = "projection",
        norm: Norm = "batch",
        wide_features: bool = False,
        n_inferred: int = 0,
    ) -> None:
        super().__init__()
        self.conditioning = conditioning
        n_codes = n_latent if conditioning == "concatenation" else 0
        widths = [*n_hidden] if wide_features else [*n_hidden, n_latent]
        activations: list[Callable[[], nn.Module]] = [LEAKY] * len(n_hidden)
        if not wide_features:
            activations = [*activations, nn.ReLU]
        self.hidden = Stack(n_input + n_codes, widths, activations=activations, norm=norm)
        self.score = nn.Linear(widths[-1], 1)
        has_projection = wide_features and conditioning == "projection"
        self.projection = nn.Linear(widths[-1], n_latent, bias=False) if has_projection else None
        self.inferred = Stack(widths[-1], [n_inferred], activations=(LEAKY,)) if n_inferred else None

    def features(self, x: Tensor, codes: Tensor) -> Tensor:
        """Return the last hidden layer, shape ``(n_cells, n_features)``."""
        return self.hidden(torch.cat([x, codes], 1) if self.conditioning == "concatenation" else x)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        """Return scores, shape ``(n_cells,)``, of cells on the critic's scale."""
        h = self.features(x, codes)
        score = self.score(h)[:, 0]
        if self.conditioning == "projection":
            score = score + (codes * (h if self.projection is None else self.projection(h))).sum(1)
        return score

    def information(self, x: Tensor, codes: Tensor) -> Tensor:
        """Return a variational bound on the information that cells hold about their codes, without the codes' entropy.

        Mean over cells of the log density of the codes under unit-variance Gaussians around the predicted codes.
        """
        if self.inferred is None:
            raise ValueError("n_inferred=0: this critic infers no codes.")
        mean = self.inferred(self.features(x, codes))
        return (-0.5 * (codes - mean).square() - 0.5 * math.log(2 * math.pi)).sum(1).mean()


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, epsilon: Tensor) -> Tensor:
    r"""Return the mean squared deviation from 1 of the critic's gradient norm between real and generated cells.

    Parameters
    ----------
    critic
        Function from cells ``(n_cells, n_genes)`` to scores ``(n_cells,)``.
    real, fake
        Cells, shape ``(n_cells, n_genes)``.
    epsilon
        Share of the real cell, shape ``(n_cells, 1)``, or ``(1, 1)`` for one share in the whole minibatch.

    Returns
    -------
    :math:`\mathrm{mean} (\Vert \nabla D(\epsilon x + (1 - \epsilon) y) \Vert - 1)^2`, differentiable.

    References
    ----------
    :cite:p:`Gulrajani2017`.

    Examples
    --------
    A linear critic whose gradient has norm 5 everywhere, hence a penalty of (5 - 1)^2:

    >>> import torch
    >>> from scpareto.model.michigan import gradient_penalty
    >>> real, fake = torch.randn(8, 2), torch.randn(8, 2)
    >>> penalty = gradient_penalty(lambda x: x @ torch.tensor([3.0, 4.0]), real, fake, torch.rand(8, 1))
    >>> round(penalty.item(), 3)
    16.0
    """
    between = (epsilon * real + (1 - epsilon) * fake).detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    # The floor keeps the derivative of the norm finite where a critic is flat.
    return ((gradient.square().sum(1) + 1e-12).sqrt() - 1).square().mean()
