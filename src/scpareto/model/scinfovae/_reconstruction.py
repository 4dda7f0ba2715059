"""Reconstruction losses: negative log-likelihoods, and the squared errors of the published formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from scvi.distributions import ZeroInflatedNegativeBinomial
    from torch import Tensor
    from torch.distributions import Distribution


def negative_log_likelihood(
    px: Distribution, x: Tensor, size_factor: Tensor, scaled: Tensor, variance: float
) -> Tensor:
    """Return the negative log-likelihood in nats, shape ``(n_cells,)``."""
    return -px.log_prob(x).sum(-1)


def squared_error_log(
    px: ZeroInflatedNegativeBinomial, x: Tensor, size_factor: Tensor, scaled: Tensor, variance: float
) -> Tensor:
    r"""Return :math:`\sum_g (\log(1 + x_g / l) - \log(1 + \hat x_g))^2 / (2 c)`, shape ``(n_cells,)``."""
    return (torch.log1p(x / size_factor) - torch.log1p(_expected(px))).square().sum(-1) / (2 * variance)


def squared_error_scaled(
    px: ZeroInflatedNegativeBinomial, x: Tensor, size_factor: Tensor, scaled: Tensor, variance: float
) -> Tensor:
    r"""Return :math:`\sum_g (t_g - \hat x_g)^2 / (2 c)` with the encoder's input :math:`t`, shape ``(n_cells,)``."""
    return (scaled - _expected(px)).square().sum(-1) / (2 * variance)


def _expected(px: ZeroInflatedNegativeBinomial) -> Tensor:
    """Return the mean of a zero-inflated distribution at a size factor of 1."""
    return torch.sigmoid(-px.zi_logits) * px.scale


RECONSTRUCTIONS: dict[str, tuple[str, Callable[..., Tensor]]] = {
    "zinb": ("zinb", negative_log_likelihood),
    "nb": ("nb", negative_log_likelihood),
    "normal": ("normal", negative_log_likelihood),
    "log_mse": ("zinb", squared_error_log),
    "paper_mse": ("zinb", squared_error_scaled),
}
"""Distribution that the decoder parametrises, and reconstruction loss, by ``gene_likelihood``."""
