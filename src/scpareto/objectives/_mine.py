"""Mutual information of codes and nuisance, by the Donsker-Varadhan bound with an adversarial critic."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch.nn.functional import one_hot, softplus

from scpareto.objectives._critic import Critic, CriticInit
from scpareto.objectives._information import CriticInput, InformationObjective
from scpareto.objectives._registry import register_objective
from scpareto.objectives._soft_clusters import log_mean_exp_within

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives._context import Context


class DonskerVaradhan(InformationObjective):
    r"""Bound :math:`I(z; s) \ge E_{p(z, s)} f - \log E_{p(z) p(s)} e^f`, within clusters where they are given.

    The critic :math:`f` maximises the same bound with the exponential mean divided by its running average, which
    removes most of the bias of the minibatch gradient. All exponentials are computed as log-sum-exp in single
    precision.

    Parameters
    ----------
    n_latent, n_categories
        See :class:`InformationObjective`.
    ema_rate
        Share of the newest minibatch in the running exponential mean. Published: 0.001.
    **options
        See :class:`InformationObjective`.
    """

    log_running_mean: Tensor

    def __init__(
        self, n_latent: int, n_categories: int | None = None, *, ema_rate: float = 0.01, **options: Any
    ) -> None:
        super().__init__(n_latent, n_categories, **options)
        self.ema_rate = ema_rate
        # A buffer, so that a resumed run continues with the same average; NaN before the first minibatch.
        self.register_buffer("log_running_mean", torch.full((self.n_clusters,), float("nan")))
        self.options["ema_rate"] = ema_rate

    @abstractmethod
    def terms(self, inputs: CriticInput) -> tuple[Tensor, Tensor, Tensor]:
        """Return, for each cluster, its share of the cells, the mean score and the log mean exponential score."""

    def forward(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Value of the bound in nats; see :class:`Objective`."""
        share, joint, log_product = self.terms(self.critic_input(z, qz, context))
        return (share * (joint - log_product)).sum()

    def critic_loss(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Negative bound with the running exponential mean; updates the running mean and the code moments."""
        self.update_moments(z, qz)
        share, joint, log_product = self.terms(self.critic_input(z, qz, context))
        with torch.no_grad():
            newest, old = log_product.detach(), self.log_running_mean
            moved = torch.logaddexp(old + math.log1p(-self.ema_rate), newest + math.log(self.ema_rate))
            # A cluster without cells in this minibatch keeps its value.
            self.log_running_mean.copy_(torch.where(share == 0, old, torch.where(torch.isnan(old), newest, moved)))
            running = torch.where(share == 0, newest, self.log_running_mean)
        return (share * (torch.exp(log_product - running) - joint)).sum()


@register_objective
class Mine(DonskerVaradhan):
    r"""Donsker-Varadhan bound on :math:`I(z; s)` with a shuffled marginal, as published.

    .. math::
        V = \frac{1}{m} \sum_i f(z_i, s_i) - \log \frac{1}{m} \sum_i \exp f(z_{\tau(i)}, s_i)

    with :math:`\tau` a random permutation of the minibatch, or of each cluster if memberships are given; the cluster of
    a cell is drawn again each time. Takes categorical and continuous nuisances.

    Parameters
    ----------
    n_latent
        Number of dimensions of a code.
    n_categories
        Number of levels of the nuisance; None for a continuous one.
    target, on
        See :class:`Objective`. The published objective sees samples.
    given, n_clusters, floor
        See :class:`InformationObjective`.
    n_hidden, n_layers, init
        The critic. Published: 128, 10 and ``"normal"``.
    standardize
        Whether the critic sees codes scaled by running moments. Published: no.
    ema_rate
        Share of the newest minibatch in the running exponential mean. Published: 0.001.

    Notes
    -----
    The published critic starts as a constant, which reads 0 whatever the codes hold. Where it never leaves that, fronts
    have NaN in place of its losses and a column ``mine_dead``, and a warning says how to train it.

    References
    ----------
    Estimator: :cite:p:`Belghazi2018`; as a batch penalty of scVI: :cite:p:`Li2022`.

    Examples
    --------
    A continuous nuisance whose correlation with the code is 0.8, so that the information is -log(1 - 0.8^2) / 2 = 0.51:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, CriticSchedule, Mine, estimate
    >>> _ = torch.manual_seed(0)
    >>> age = torch.randn(1000)
    >>> codes, context = Normal(0.8 * age[:, None], 0.6 * torch.ones(1000, 1)), Context(continuous={"age": age})
    >>> split = torch.arange(1000).split([600, 200, 200])
    >>> values = estimate(Mine(1, target="age"), codes, context, split, CriticSchedule(max_epochs=20, lr=0.01))
    >>> 0.3 < values[2] < 0.7
    True
    """

    name: ClassVar[str] = "mine"
    # A shuffled marginal is noisier than an exact one: with fewer steps the critic falls behind the encoder.
    critic_effort: ClassVar[int] = 2
    kinds: ClassVar[frozenset[str]] = frozenset({"categorical", "continuous"})

    def build_critic(self, n_input: int, *, n_hidden: int, n_layers: int, init: CriticInit) -> Critic:
        """Critic with one score for a pair of code and nuisance."""
        return Critic(n_input + (self.n_categories or 1), 1, n_hidden=n_hidden, n_layers=n_layers, init=init)

    def scores(self, inputs: CriticInput) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of pairs and of shuffled pairs, shape ``(m,)``, and the hard clusters ``(m, n_clusters)``."""
        codes, n = inputs.codes, self.n_categories
        label = inputs.nuisance[:, None] if n is None else one_hot(inputs.nuisance, n)
        label = label.to(codes.dtype)
        hard, order = self._shuffle_within_clusters(inputs.memberships)
        # Soft memberships are shuffled with the codes: otherwise the critic would recognise shuffled codes by
        # memberships that do not fit.
        both = self.critic(torch.cat([torch.cat([codes, label], 1), torch.cat([codes[order], label], 1)]))
        joint, product = both.squeeze(1).chunk(2)
        return joint, product, hard

    def terms(self, inputs: CriticInput) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`DonskerVaradhan`."""
        joint, product, hard = self.scores(inputs)
        total = hard.sum(0)
        mean = (hard * joint[:, None]).sum(0) / total.clamp(min=1e-12)
        return total / len(hard), mean, self.log_mean_exp(product, hard)

    def log_mean_exp(self, scores: Tensor, clusters: Tensor) -> Tensor:
        """Log mean exponential of the scores of shuffled pairs in each cluster."""
        return log_mean_exp_within(scores, clusters)

    def _shuffle_within_clusters(self, memberships: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a cluster for each cell, and a permutation within clusters."""
        if self.given is None:
            return memberships, torch.randperm(len(memberships), device=memberships.device)
        # Cells of clusters that do not count are in none.
        with_rest = torch.cat([memberships, (1 - memberships.sum(1, keepdim=True)).clamp(min=0)], 1)
        clusters = torch.multinomial(with_rest, 1).squeeze(1)
        permutation = torch.randperm(len(clusters), device=clusters.device)
        order = torch.empty_like(clusters)
        order[torch.argsort(clusters, stable=True)] = permutation[torch.argsort(clusters[permutation], stable=True)]
        return one_hot(clusters, memberships.shape[1] + 1)[:, :-1].to(memberships.dtype), order


@register_objective
class MineExact(DonskerVaradhan):
    r"""Donsker-Varadhan bound on :math:`I(z; s)` with an exact marginal over the levels of the nuisance.

    .. math::
        V = \frac{1}{m} \sum_i F_{s_i}(z_i) - \log \frac{1}{m} \sum_i \sum_b \pi_b \exp F_b(z_i)

    The critic :math:`F` scores all levels at once; with the proportions of the minibatch as :math:`\pi` the second
    term is the mean over all permutations of that of :class:`Mine`. The proportions are those of all training cells.

    Parameters
    ----------
    n_latent, n_categories
        See :class:`InformationObjective`.
    **options
        See :class:`DonskerVaradhan` and :class:`InformationObjective`.

    References
    ----------
    Bound: :cite:p:`Belghazi2018`.

    Examples
    --------
    Codes that separate two equal batches hold log 2 = 0.69 nats about them:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, CriticSchedule, MineExact, estimate
    >>> _ = torch.manual_seed(0)
    >>> batch = torch.arange(200) % 2
    >>> codes, context = Normal(9.0 * batch[:, None], torch.ones(200, 1)), Context(categorical={"batch": batch})
    >>> split = torch.arange(200).split([100, 50, 50])
    >>> round(estimate(MineExact(1, 2), codes, context, split, CriticSchedule(max_epochs=40, lr=0.01))[2], 1)
    0.7
    """

    name: ClassVar[str] = "mine_exact"

    def terms(self, inputs: CriticInput) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`DonskerVaradhan`."""
        scores, memberships = self.critic(inputs.codes), inputs.memberships
        assert inputs.log_prior is not None
        total = memberships.sum(0)
        of_pairs = scores.gather(1, inputs.nuisance[:, None]).squeeze(1)
        joint = (memberships * of_pairs[:, None]).sum(0) / total.clamp(min=1e-12)
        log_product = log_mean_exp_within(torch.logsumexp(scores + inputs.log_prior, 1), memberships)
        return total / len(scores), joint, log_product


@register_objective
class Smile(Mine):
    r"""Donsker-Varadhan bound whose partition term is clipped, which bounds its variance.

    .. math::
        V = \frac{1}{m} \sum_i f(z_i, s_i)
            - \log \frac{1}{m} \sum_i \exp \operatorname{clip}(f(z_{\tau(i)}, s_i), -\tau_c, \tau_c)

    The critic is trained to classify pairs and shuffled pairs (logistic loss); the optimum is the log density ratio.
    Maximising the clipped value itself would have no upper bound. The value is not a bound where the clip is active.

    Parameters
    ----------
    n_latent, n_categories
        See :class:`InformationObjective`.
    clip
        Limit :math:`\tau_c` on the scores in the partition term.
    **options
        See :class:`InformationObjective`; ``ema_rate`` has no effect here.

    References
    ----------
    :cite:p:`Song2020`.

    Examples
    --------
    Codes that separate two equal batches hold log 2 = 0.69 nats. This value is not a bound and may exceed that:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, CriticSchedule, Smile, estimate
    >>> _ = torch.manual_seed(0)
    >>> batch = torch.arange(200) % 2
    >>> codes, context = Normal(9.0 * batch[:, None], torch.ones(200, 1)), Context(categorical={"batch": batch})
    >>> split = torch.arange(200).split([100, 50, 50])
    >>> values = estimate(Smile(1, 2), codes, context, split, CriticSchedule(max_epochs=20, lr=0.01))
    >>> 0.5 < values[2] < 0.9
    True
    """

    name: ClassVar[str] = "smile"

    def __init__(self, n_latent: int, n_categories: int | None = None, *, clip: float = 5.0, **options: Any) -> None:
        super().__init__(n_latent, n_categories, **options)
        if not clip > 0:
            raise ValueError(f"clip={clip!r} must be positive.")
        self.clip = clip
        self.options["clip"] = clip

    def critic_loss(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Logistic loss of classifying pairs and shuffled pairs; updates the code moments."""
        self.update_moments(z, qz)
        joint, product, hard = self.scores(self.critic_input(z, qz, context))
        return (hard.sum(1) * (softplus(-joint) + softplus(product))).mean()

    def log_mean_exp(self, scores: Tensor, clusters: Tensor) -> Tensor:
        """Log mean exponential of clipped scores."""
        return log_mean_exp_within(scores.clamp(-self.clip, self.clip), clusters)
