"""Mutual information of codes and nuisance, estimated by an adversarial neural critic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import torch
from torch.nn.functional import one_hot

from scpareto.objectives._base import CodesSeen, Objective
from scpareto.objectives._critic import CodeStandardizer, Critic, CriticInit
from scpareto.objectives._registry import register_objective

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives._context import Context


@register_objective
class Mine(Objective):
    r"""Donsker-Varadhan bound on :math:`I(z; s)` with a shuffled marginal.

    .. math::
        V = \frac{1}{m} \sum_i f(z_i, s_i) - \log \frac{1}{m} \sum_i \exp f(z_{\tau(i)}, s_i)

    with :math:`\tau` a random permutation of the minibatch. The critic :math:`f` ascends the same bound with the
    exponential mean divided by its running average, which removes most of the bias of the minibatch gradient. All
    exponentials are log-sum-exp in single precision.

    Parameters
    ----------
    n_latent
        Number of dimensions of a code.
    n_categories
        Number of levels of the nuisance.
    target, on
        See :class:`Objective`. The published objective sees samples.
    n_hidden, n_layers, init
        The critic. Published: 128, 10 and ``"normal"``.
    standardize
        Whether the critic sees codes scaled by running moments. Published: no.
    ema_rate
        Share of the newest minibatch in the running exponential mean. Published: 0.001.

    References
    ----------
    Estimator: :cite:p:`Belghazi2018`; as a batch penalty of scVI: :cite:p:`Li2022`.
    """

    name: ClassVar[str] = "mine"
    has_critic: ClassVar[bool] = True
    minimum: ClassVar[float | None] = 0.0
    log_running_mean: Tensor

    def __init__(
        self,
        n_latent: int,
        n_categories: int,
        *,
        target: str = "batch",
        on: CodesSeen = "sample",
        n_hidden: int = 128,
        n_layers: int = 3,
        init: CriticInit = "default",
        standardize: bool = True,
        ema_rate: float = 0.01,
    ) -> None:
        super().__init__(n_latent, target=target, on=on)
        if n_categories < 2:
            raise ValueError(f"n_categories={n_categories}: information about a nuisance needs at least two levels.")
        self.n_categories = n_categories
        self.ema_rate = ema_rate
        self.critic = Critic(n_latent + n_categories, 1, n_hidden=n_hidden, n_layers=n_layers, init=init)
        self.standardizer = CodeStandardizer(n_latent) if standardize else None
        # A buffer, so that a resumed run goes on with the same average; NaN until the first minibatch.
        self.register_buffer("log_running_mean", torch.tensor(float("nan")))
        self.options |= {
            "n_categories": n_categories,
            "n_hidden": n_hidden,
            "n_layers": n_layers,
            "init": init,
            "standardize": standardize,
            "ema_rate": ema_rate,
        }

    def forward(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Value of the bound in nats; see :class:`Objective`."""
        joint, log_product = self._terms(self.codes(z, qz), self.labels(context.categorical[self.target]))
        return joint - log_product

    def critic_loss(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Negative bound with the running exponential mean; updates the running mean and the code moments."""
        codes = self.codes(z, qz)
        if self.standardizer is not None:
            self.standardizer.update(codes)
        joint, log_product = self._terms(codes, self.labels(context.categorical[self.target]))
        with torch.no_grad():
            newest = log_product.detach()
            if torch.isnan(self.log_running_mean):
                self.log_running_mean.copy_(newest)
            else:
                kept = self.log_running_mean + math.log1p(-self.ema_rate)
                self.log_running_mean.copy_(torch.logaddexp(kept, newest + math.log(self.ema_rate)))
        return torch.exp(log_product - self.log_running_mean) - joint

    def _terms(self, codes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean score of the joint sample and log mean exponential score of the shuffled one."""
        codes = codes.float()
        if self.standardizer is not None:
            codes = self.standardizer(codes)
        label = one_hot(labels.long(), self.n_categories).to(codes.dtype)
        shuffled = codes[torch.randperm(len(codes), device=codes.device)]
        scores = self.critic(torch.cat([torch.cat([codes, label], 1), torch.cat([shuffled, label], 1)])).squeeze(1)
        joint, product = scores.chunk(2)
        return joint.mean(), torch.logsumexp(product, 0) - math.log(len(codes))
