"""What it costs that a decoder misses a cell: likelihoods, and the squared errors of the published formula."""

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
    """Negative log-likelihood in nats, shape ``(n_cells,)``."""
    return -px.log_prob(x).sum(-1)


def error_of_logarithms(
    px: ZeroInflatedNegativeBinomial, x: Tensor, size_factor: Tensor, scaled: Tensor, variance: float
) -> Tensor:
    r"""Return :math:`\sum_g (\log(1 + x_g / l) - \log(1 + \hat x_g))^2 / (2 c)`, shape ``(n_cells,)``."""
    return (torch.log1p(x / size_factor) - torch.log1p(_expected(px))).square().sum(-1) / (2 * variance)


def error_of_scaled(
    px: ZeroInflatedNegativeBinomial, x: Tensor, size_factor: Tensor, scaled: Tensor, variance: float
) -> Tensor:
    r"""Return :math:`\sum_g (t_g - \hat x_g)^2 / (2 c)` with the encoder's input :math:`t`, shape ``(n_cells,)``."""
    return (scaled - _expected(px)).square().sum(-1) / (2 * variance)


def _expected(px: ZeroInflatedNegativeBinomial) -> Tensor:
    """Mean at a size factor of 1 of a zero-inflated distribution."""
    return torch.sigmoid(-px.zi_logits) * px.scale


RECONSTRUCTIONS: dict[str, tuple[str, Callable[..., Tensor]]] = {
    "zinb": ("zinb", negative_log_likelihood),
    "nb": ("nb", negative_log_likelihood),
    "normal": ("normal", negative_log_likelihood),
    "log_mse": ("zinb", error_of_logarithms),
    "paper_mse": ("zinb", error_of_scaled),
}
"""Distribution that the decoder parametrises, and the cost, by the name of a likelihood."""
