"""Divergence of the aggregated posterior from the standard Gaussian prior."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import torch
from torch import nn
from torch.nn.functional import softplus

from scpareto.objectives._base import CodesSeen, Objective
from scpareto.objectives._critic import Critic
from scpareto.objectives._kernels import (
    Kernel,
    gaussian,
    group_sums,
    inverse_multiquadric,
    kernel_blocks,
    squared_distances,
)
from scpareto.objectives._registry import register_objective

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives._context import Context

Statistic = Literal["u", "v"]

# Kernels of codes with d dimensions.
_KERNELS: dict[str, Callable[[int], Kernel]] = {
    "imq": lambda d: partial(inverse_multiquadric, scales=[2 * d * c for c in (0.1, 0.2, 0.5, 1, 2, 5, 10)]),
    "rbf": lambda d: partial(gaussian, variances=[d]),
    "multirbf": lambda d: partial(gaussian, variances=[d * c for c in (0.25, 0.5, 1, 2, 4)]),
    "tutorial": lambda d: partial(gaussian, variances=[d**2 / 2]),
}


class _Measure(nn.Module, ABC):
    """A divergence from the prior of codes of shape ``(n_views, n_cells, n_latent)``."""

    @abstractmethod
    def forward(self, views: Tensor) -> Tensor:
        """Value of the divergence."""


class _Discrepancy(_Measure):
    """Squared maximum mean discrepancy from equally many draws of the prior."""

    def __init__(self, kernel: Kernel, statistic: Statistic) -> None:
        super().__init__()
        self.kernel = kernel
        self.diagonal = statistic == "v"

    def forward(self, views: Tensor) -> Tensor:
        """Value of the squared discrepancy."""
        n_cells = views.shape[1]
        pooled = torch.cat([views, torch.randn_like(views)], 1)
        is_prior = torch.arange(2 * n_cells, device=views.device) // n_cells
        sums = group_sums(self.kernel, pooled, is_prior, 2, diagonal=self.diagonal)
        return sums.trace() / _n_pairs(n_cells, self.diagonal) - 2 * sums[0, 1] / n_cells**2


class _JensenShannon(_Measure):
    """Twice the Jensen-Shannon divergence, by a critic that classifies codes and draws of the prior."""

    def __init__(self, critic: Critic) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, views: Tensor) -> Tensor:
        """Value in nats, exact at the optimal critic and below it otherwise."""
        codes = views.flatten(0, 1)
        of_prior, of_codes = self.critic(torch.randn_like(codes)), self.critic(codes)
        return 2 * math.log(2) - softplus(-of_prior).mean() - softplus(of_codes).mean()


class _Stein(_Measure):
    """Kernelised Stein discrepancy whose gradient is the direction of Stein variational gradient descent."""

    def __init__(self, n_latent: int, statistic: Statistic) -> None:
        super().__init__()
        self.variance = float(n_latent)
        self.diagonal = statistic == "v"

    def forward(self, views: Tensor) -> Tensor:
        """Value of the squared discrepancy; its gradient is that of the surrogate of the descent direction."""
        # Autocast would run the matrix products in half precision.
        with torch.no_grad(), torch.autocast(views.device.type, enabled=False):
            blocks = kernel_blocks(self._stein_kernel, views, diagonal=self.diagonal)
            total = torch.stack([block.sum() for _, block in blocks]).sum()
            codes = views.flatten(0, 1)
            direction = torch.cat([self._direction(part, codes) for part in codes.split(1024)])
        surrogate = -(direction * views.flatten(0, 1)).sum(1).mean()
        # Only the gradient of the surrogate matters, not its value.
        return total / _n_pairs(views.shape[1], self.diagonal) + surrogate - surrogate.detach()

    def _direction(self, moved: Tensor, codes: Tensor) -> Tensor:
        """Mean of ``k (-z') + grad_z' k`` over the codes ``z'``: attraction to the prior, repulsion between codes."""
        kernel = gaussian(moved, codes, variances=[self.variance])
        pushed = (moved * kernel.sum(1, keepdim=True) - kernel @ codes) / self.variance
        return (pushed - kernel @ codes) / len(codes)

    def _stein_kernel(self, a: Tensor, b: Tensor) -> Tensor:
        """Stein operator of the prior applied to both arguments of the Gaussian kernel."""
        distances, variance = squared_distances(a, b), self.variance
        products = (a.square().sum(1)[:, None] + b.square().sum(1) - distances) / 2
        inner = products + a.shape[1] / variance - distances * (1 / variance + 1 / variance**2)
        return torch.exp(distances / (-2 * variance)) * inner


def _n_pairs(n_cells: int, diagonal: bool) -> int:
    return n_cells**2 if diagonal else max(n_cells * (n_cells - 1), 1)


@register_objective
class PriorDivergence(Objective):
    r"""Divergence :math:`D(q(z) \Vert N(0, I))` of the codes of a minibatch from the prior.

    Parameters
    ----------
    n_latent
        Number of dimensions of a code.
    divergence
        ``"mmd"``, the squared maximum mean discrepancy from as many draws of the prior; ``"js"``, twice the
        Jensen-Shannon divergence in nats, at most :math:`2 \log 2`, by a critic; ``"stein"``, the squared kernelised
        Stein discrepancy, with the direction of Stein variational gradient descent as its gradient.
    kernel
        Kernel of ``"mmd"``, with :math:`r` the distance of two codes and :math:`d` dimensions: ``"imq"``, the mean of
        :math:`2dc / (2dc + r^2)` over seven scales from 0.1 to 10; ``"rbf"``, :math:`\exp(-r^2 / (2d))`;
        ``"multirbf"``, the mean of :math:`\exp(-r^2 / (2dc))` over five scales from 0.25 to 4; ``"tutorial"``,
        :math:`\exp(-r^2 / d^2)`, as in many published examples.
    statistic
        ``"u"`` without the diagonals, unbiased, or ``"v"`` with them, not negative; for ``"mmd"`` and ``"stein"``.
    n_hidden, n_layers
        Critic of ``"js"``, see :class:`Critic`.
    on
        See :class:`Objective`. For ``on="both"`` the two codes of a cell are not compared by a U statistic.

    Raises
    ------
    ValueError
        If ``divergence``, ``kernel`` or ``statistic`` is unknown.

    Notes
    -----
    The discrepancy is at most about 0.3, so that its weight against a likelihood has to be in the hundreds. For codes
    that have collapsed onto one point in ten dimensions, the kernel ``"imq"`` gives 0.27 and ``"tutorial"`` 0.011,
    which gives a weak gradient. There is no nuisance.

    The Stein discrepancy is the rate at which its direction lowers :math:`\mathrm{KL}(q \Vert N(0, I))`. With the
    kernel :math:`k = \exp(-r^2 / (2d))` the direction is
    :math:`\phi_i = \frac{1}{m} \sum_j (-k(z_j, z_i) z_j + \nabla_{z_j} k(z_j, z_i))`.

    References
    ----------
    In place of the prior term of a variational autoencoder: :cite:p:`Zhao2019`; direction: :cite:p:`LiuWang2016`.
    Discrepancy: Liu et al. (2016), A kernelized Stein discrepancy for goodness-of-fit tests, ICML 33.

    Examples
    --------
    Codes of the prior, and codes that have collapsed onto one point of ten dimensions:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, PriorDivergence
    >>> _ = torch.manual_seed(0)
    >>> qz = Normal(torch.zeros(500, 10), torch.ones(500, 10))
    >>> for codes in (qz.sample(), qz.loc):
    ...     print(round(PriorDivergence(10)(codes, qz, Context()).abs().item(), 2))
    0.0
    0.27
    """

    name: ClassVar[str] = "prior_divergence"
    needs_nuisance: ClassVar[bool] = False
    kinds: ClassVar[frozenset[str]] = frozenset()
    minimum: ClassVar[float | None] = 0.0

    def __init__(
        self,
        n_latent: int,
        *,
        divergence: str = "mmd",
        kernel: str = "imq",
        statistic: Statistic = "u",
        n_hidden: int = 128,
        n_layers: int = 3,
        on: CodesSeen = "sample",
    ) -> None:
        super().__init__(n_latent, on=on)
        measures: dict[str, Callable[[], _Measure]] = {
            "mmd": lambda: _Discrepancy(_KERNELS[kernel](n_latent), statistic),
            "js": lambda: _JensenShannon(Critic(n_latent, 1, n_hidden=n_hidden, n_layers=n_layers)),
            "stein": lambda: _Stein(n_latent, statistic),
        }
        if divergence not in measures:
            raise ValueError(f"divergence={divergence!r} is not one of {', '.join(measures)}.")
        if kernel not in _KERNELS:
            raise ValueError(f"kernel={kernel!r} is not one of {', '.join(_KERNELS)}.")
        if statistic not in get_args(Statistic):
            raise ValueError(f"statistic={statistic!r} is not one of {', '.join(get_args(Statistic))}.")
        self.measure = measures[divergence]()
        self.has_critic = isinstance(self.measure, _JensenShannon)  # type: ignore[misc]
        self.options = {
            "n_latent": n_latent,
            "divergence": divergence,
            "kernel": kernel,
            "statistic": statistic,
            "n_hidden": n_hidden,
            "n_layers": n_layers,
            "on": on,
        }

    def forward(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Value of the divergence; see :class:`Objective`."""
        return self.measure(self.codes(z, qz).float().view(-1, len(z), self.n_latent))

    def critic_loss(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Cross-entropy of classifying codes and prior draws, up to a constant; for ``divergence="js"`` only."""
        return -self(z, qz, context) if self.has_critic else super().critic_loss(z, qz, context)
