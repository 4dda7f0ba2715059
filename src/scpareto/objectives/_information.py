"""Base class of the information objectives: prepares codes, labels and clusters for their critics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from scpareto.objectives._base import CodesSeen, Objective
from scpareto.objectives._critic import CodeStandardizer, Critic, CriticInit
from scpareto.objectives._soft_clusters import level_shares, memberships_given_levels, raise_to_floor

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives._context import Context

SINGLE_LEVEL = 0.98
"""A cluster in which one level has more than this share cannot be mixed; it does not count."""

_SHARE_FEATURES: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda shares: shares,
    torch.square,
    lambda shares: torch.sin(torch.pi * shares),
    lambda shares: torch.cos(torch.pi * shares),
)
"""Features of the shares of the extremes for the critic, whose scores change quickly near the start of the path."""


@dataclass(frozen=True)
class CriticInput:
    """A minibatch in the form of the critic's input; ``m`` rows, twice the cells for ``on="both"``.

    Parameters
    ----------
    codes
        Standardised codes, followed by the given memberships and by features of the place on a path, shape
        ``(m, n_latent + n_clusters + 4 n_ends)``.
    nuisance
        Levels ``(m,)``, or standardised values of a continuous nuisance.
    memberships
        Soft memberships given the level, shape ``(m, n_clusters)``; one column of ones without clusters. Columns of
        clusters that do not count are zero.
    log_prior
        Log probability of each level given the memberships, shape ``(m, n_categories)``; None for a continuous
        nuisance.
    """

    codes: Tensor
    nuisance: Tensor
    memberships: Tensor
    log_prior: Tensor | None


class InformationObjective(Objective):
    r"""Lower bound on the information :math:`I(z; s)` or :math:`I(z; s \mid c)`, estimated by a critic.

    Parameters
    ----------
    n_latent
        Number of dimensions of a code.
    n_categories
        Number of levels of the nuisance; None for a continuous one.
    target, on
        See :class:`Objective`.
    given
        Name of a soft clustering :math:`c` of the cells. Information is then measured within clusters, so that
        differences in composition are not penalised.
    n_clusters
        Number of its clusters.
    floor
        Smallest proportion of a level within a cluster, so that the value stays finite if a level is absent from a
        cluster. Raises the value by up to ``floor`` for each absent level.
    n_hidden, n_layers, init
        The critic, see :class:`Critic`.
    standardize
        Whether the critic sees codes scaled by running moments.
    n_ends
        Number of extremes of a weight path without the uncorrected one; their shares are inputs of the critic. 0
        without a path.

    Raises
    ------
    ValueError
        If ``n_categories`` is below 2, or None for an objective that takes categorical nuisances only, or ``given``
        comes without ``n_clusters``.

    Notes
    -----
    The probability of a level given the memberships :math:`w_i` of a cell is the mixture
    :math:`\sum_c w_{ic} \pi_{s \mid c}`, with the maximum-likelihood estimates of :math:`\pi`; for hard clusters, these
    are the proportions within them. A plain average by :math:`w` would blur unequal compositions of overlapping
    clusters, and the difference would count as information. With calibrated memberships, codes and nuisance that are
    independent within clusters have information 0.

    A cluster with (nearly) all of its cells in one level does not count: it cannot be mixed, and a penalty would erase
    it. See :attr:`single_level_clusters`.

    Examples
    --------
    All cells of the second cluster are of one batch, so that it does not count:

    >>> import torch
    >>> from scpareto.objectives import Context, get_objective
    >>> objective = get_objective("classifier", n_latent=2, n_categories=2, given="type", n_clusters=2)
    >>> batch, memberships = torch.tensor([0, 1, 0, 0]), torch.eye(2)[[0, 0, 1, 1]]
    >>> objective.observe(Context(categorical={"batch": batch}, clusters={"type": memberships}))
    >>> objective.single_level_clusters
    [1]
    """

    has_critic: ClassVar[bool] = True
    minimum: ClassVar[float | None] = 0.0
    proportions: Tensor
    counts: Tensor
    location: Tensor
    spread: Tensor

    def __init__(
        self,
        n_latent: int,
        n_categories: int | None = None,
        *,
        target: str = "batch",
        on: CodesSeen = "sample",
        given: str | None = None,
        n_clusters: int = 1,
        floor: float = 1e-3,
        n_hidden: int = 128,
        n_layers: int = 3,
        init: CriticInit = "default",
        standardize: bool = True,
        n_ends: int = 0,
    ) -> None:
        super().__init__(n_latent, target=target, on=on)
        if n_categories is None and "continuous" not in self.kinds:
            raise ValueError(f"n_categories=None: objective {self.name!r} needs a categorical nuisance.")
        if n_categories is not None and n_categories < 2:
            raise ValueError(f"n_categories={n_categories}: information about a nuisance needs at least two levels.")
        if given is not None and n_clusters < 2:
            raise ValueError(f"given={given!r} needs n_clusters of at least 2, got {n_clusters}.")
        self.n_categories = n_categories
        self.given = given
        self.n_clusters = n_clusters if given is not None else 1
        self.floor = floor
        self.n_ends = n_ends
        n_input = n_latent + (self.n_clusters if given is not None else 0) + len(_SHARE_FEATURES) * n_ends
        self.critic = self.build_critic(n_input, n_hidden=n_hidden, n_layers=n_layers, init=init)
        self.standardizer = CodeStandardizer(n_latent) if standardize else None
        levels = n_categories or 1
        # Uniform until observed.
        self.register_buffer("proportions", torch.full((self.n_clusters, levels), 1 / levels))
        self.register_buffer("counts", torch.ones(self.n_clusters))
        self.register_buffer("location", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))
        self.options |= {
            "n_categories": n_categories,
            "given": given,
            "n_clusters": self.n_clusters,
            "floor": floor,
            "n_hidden": n_hidden,
            "n_layers": n_layers,
            "init": init,
            "standardize": standardize,
            "n_ends": n_ends,
        }

    def build_critic(self, n_input: int, *, n_hidden: int, n_layers: int, init: CriticInit) -> Critic:
        """Critic with one score for each level; see :class:`Critic`."""
        assert self.n_categories is not None  # checked by the constructor for those that use this critic
        return Critic(n_input, self.n_categories, n_hidden=n_hidden, n_layers=n_layers, init=init)

    def along_path(self, n_objectives: int) -> Self:
        """Build a copy whose critic also gets the shares of the extremes; see :meth:`Objective.along_path`."""
        return type(self)(**self.options | {"n_ends": n_objectives - 1})

    @property
    def single_level_clusters(self) -> list[int]:
        """Clusters that do not count, because (nearly) all of their cells have one level of the nuisance."""
        if self.given is None or self.n_categories is None:
            return []
        return torch.nonzero(self.counts == 0).flatten().tolist()

    def observe(self, context: Context) -> None:
        """Learn proportions of the levels, in each cluster if there are any, or moments of a continuous nuisance."""
        if self.n_categories is None:
            values = context.continuous[self.target].float()
            self.location.copy_(values.mean())
            self.spread.copy_(values.std().clamp(min=1e-6))
            return
        labels = context.categorical[self.target].long()
        if self.given is None:
            level_proportions = level_shares(
                labels, self.n_categories, torch.ones(len(labels), 1, device=labels.device)
            )
            self.proportions.copy_(raise_to_floor(level_proportions, 1e-6))
            return
        level_proportions = level_shares(labels, self.n_categories, context.clusters[self.given].float())
        self.proportions.copy_(raise_to_floor(level_proportions, self.floor))
        self.counts.copy_((level_proportions.max(1).values <= SINGLE_LEVEL).float())

    def critic_input(self, z: Tensor, qz: Normal, context: Context) -> CriticInput:
        """Prepare a minibatch for the critic, in single precision."""
        codes = self.codes(z, qz).float()
        if self.standardizer is not None:
            codes = self.standardizer(codes)
        if self.given is None:
            memberships = codes.new_ones(len(codes), 1)
        else:
            memberships = self.labels(context.clusters[self.given].float())
            codes = torch.cat([codes, memberships], 1)
        if self.n_ends:
            assert context.shares is not None
            shares = self.labels(context.shares[:, 1:].float())
            codes = torch.cat([codes, *(feature(shares) for feature in _SHARE_FEATURES)], 1)
        if self.n_categories is None:
            values = self.labels(context.continuous[self.target].float())
            return CriticInput(codes, (values - self.location) / self.spread, memberships * self.counts, None)
        labels = self.labels(context.categorical[self.target].long())
        log_prior = torch.log(memberships @ self.proportions)
        memberships = memberships_given_levels(memberships, labels, self.proportions)
        return CriticInput(codes, labels, memberships * self.counts, log_prior)

    def update_moments(self, z: Tensor, qz: Normal) -> None:
        """Update the code moments with a minibatch of the critic's training."""
        if self.standardizer is not None:
            self.standardizer.update(self.codes(z, qz).float())
