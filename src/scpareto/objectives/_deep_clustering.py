"""Deep clustering: divergence of soft cluster assignments from a sharpened copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits
from torch import nn

from scpareto.objectives._base import CodesSeen, Objective
from scpareto.objectives._kernels import squared_distances
from scpareto.objectives._registry import register_objective

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives._context import Context

_TINY = 1e-12


def soft_assignments(codes: Tensor, centres: Tensor, nu: float = 1.0) -> Tensor:
    r"""Soft assignments of codes to cluster centres by a Student-t kernel.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``.
    centres
        Cluster centres, shape ``(n_clusters, n_latent)``.
    nu
        Degrees of freedom of the kernel.

    Returns
    -------
    Assignments :math:`q`, shape ``(n_cells, n_clusters)``; rows are positive and sum to one. Differentiable with
    respect to codes and centres.

    Notes
    -----
    .. math:: q_{ij} \propto (1 + \lVert z_i - r_j \rVert^2 / \nu)^{-(\nu + 1) / 2}

    References
    ----------
    :cite:p:`Xie2016`.

    Examples
    --------
    >>> import torch
    >>> from scpareto.objectives import soft_assignments
    >>> soft_assignments(torch.tensor([[0.0]]), torch.tensor([[0.0], [3.0]]))  # 1 to 1 / (1 + 3^2)
    tensor([[0.9091, 0.0909]])
    """
    return torch.softmax(-(nu + 1) / 2 * torch.log1p(squared_distances(codes, centres) / nu), 1)


@torch.no_grad()
def target_distribution(assignments: Tensor, frequencies: Tensor | None = None) -> Tensor:
    r"""Sharpened assignments that serve as targets; no gradient passes through them.

    Parameters
    ----------
    assignments
        Soft assignments :math:`q`, shape ``(n_cells, n_clusters)``.
    frequencies
        Sizes :math:`f_j` of the clusters up to a common factor, shape ``(n_clusters,)``; None for the column sums of
        ``assignments``, which should then be those of all cells.

    Returns
    -------
    Targets :math:`p`, shape ``(n_cells, n_clusters)``; rows sum to one. An empty cluster gets 0.

    Notes
    -----
    .. math:: p_{ij} \propto q_{ij}^2 / f_j, \qquad f_j = \sum_i q_{ij}

    Division by the size of a cluster keeps large ones from taking over.

    References
    ----------
    :cite:p:`Xie2016`.

    Examples
    --------
    The assignments of the first cell become clearer, and the second one is drawn to the smaller cluster:

    >>> import torch
    >>> from scpareto.objectives import target_distribution
    >>> target_distribution(torch.tensor([[0.9, 0.1], [0.6, 0.4]]))
    tensor([[0.9643, 0.0357],
            [0.4286, 0.5714]])
    """
    sizes = assignments.sum(0) if frequencies is None else frequencies
    weighed = assignments.square() / sizes.clamp(min=_TINY)
    return weighed / weighed.sum(1, keepdim=True).clamp(min=_TINY)


def clustering_divergence(target: Tensor, assignments: Tensor) -> Tensor:
    r"""Mean over cells of :math:`\mathrm{KL}(p_i \Vert q_i)` in nats.

    Parameters
    ----------
    target
        Target distribution :math:`p`, shape ``(n_cells, n_clusters)``.
    assignments
        Soft assignments :math:`q`, same shape.

    Returns
    -------
    A scalar of at least 0, differentiable with respect to ``assignments``; where :math:`p_{ij}` is 0 it counts 0.

    Examples
    --------
    >>> import torch
    >>> from scpareto.objectives import clustering_divergence
    >>> clustering_divergence(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]]))  # log 2
    tensor(0.6931)
    """
    target = target.detach()
    log_ratio = torch.xlogy(target, target) - target * torch.log(assignments.clamp(min=_TINY))
    return log_ratio.sum(1).mean()


def kmeans_centres(codes: Tensor, n_clusters: int, *, n_init: int = 20) -> tuple[Tensor, Tensor]:
    """Centres and labels of K-means; random starts follow PyTorch's generator.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``.
    n_clusters
        Number of clusters.
    n_init
        Starts, of which the one with the smallest within-cluster sum of squares counts.

    Returns
    -------
    Centres, shape ``(n_clusters, n_latent)``, and the cluster of each cell, shape ``(n_cells,)``.

    Raises
    ------
    ValueError
        If there are fewer cells than clusters.

    Examples
    --------
    >>> import torch
    >>> from scpareto.objectives import kmeans_centres
    >>> centres, labels = kmeans_centres(torch.tensor([[0.0], [1.0], [10.0], [11.0]]), 2)
    >>> centres.flatten().sort().values.tolist()
    [0.5, 10.5]
    >>> bool(labels[0] == labels[1]), bool(labels[1] == labels[2])
    (True, False)
    """
    if len(codes) < n_clusters:
        raise ValueError(f"n_clusters={n_clusters}: there are only {len(codes)} cells.")
    seed = int(torch.randint(2**31, ()))
    # The order of summation in threads changes the last digits.
    with threadpool_limits(limits=1):
        kmeans = KMeans(n_clusters, n_init=n_init, random_state=seed).fit(codes.detach().cpu().double().numpy())
    centres = torch.as_tensor(kmeans.cluster_centers_, dtype=codes.dtype, device=codes.device)
    return centres, torch.as_tensor(kmeans.labels_, dtype=torch.long, device=codes.device)


@register_objective
class DeepClustering(Objective):
    r"""Divergence :math:`\mathrm{KL}(P \Vert Q)` of soft cluster assignments from their sharpened copy, in nats.

    .. math::
        V = \frac{1}{m} \sum_i \sum_j p_{ij} \log \frac{p_{ij}}{q_{ij}}

    with the assignments of :func:`soft_assignments` and the targets of :func:`target_distribution`.

    Parameters
    ----------
    n_latent
        Number of dimensions of a code.
    n_clusters
        Number of clusters.
    nu
        Degrees of freedom of the Student-t kernel.
    momentum
        Weight of a minibatch in the running mean of the cluster sizes.
    on
        See :class:`Objective`; by default the posterior mean, whose clusters are read.

    Attributes
    ----------
    centres
        Cluster centres, a parameter of shape ``(n_clusters, n_latent)``, learned with the model. They are zero until
        :meth:`start` computes them by K-means or values are copied into them.
    frequencies
        Running mean of the shares of the clusters, a buffer of shape ``(n_clusters,)``. It normalises the target if the
        minibatch has no precomputed targets.

    Raises
    ------
    ValueError
        If ``n_clusters`` is below 2, ``nu`` is not positive or ``momentum`` not in [0, 1].

    Notes
    -----
    A minibatch may have targets that were computed over all cells, as published, in
    ``context.clusters[DeepClustering.target_key]``, shape ``(n_cells, n_clusters)``. Otherwise targets are computed
    from its current assignments and the running sizes. Gradients reach the codes and the centres, never the targets.
    There is no nuisance. Codes that shrink to a point or move apart without limit also lower the value, so that it
    needs the generative loss beside it.

    References
    ----------
    :cite:p:`Xie2016`; on codes of counts: :cite:p:`Tian2019`.

    Examples
    --------
    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, DeepClustering
    >>> _ = torch.manual_seed(0)
    >>> qz = Normal(torch.tensor([[0.0], [1.0], [10.0], [11.0]]), torch.ones(4, 1))
    >>> objective = DeepClustering(1, n_clusters=2)
    >>> objective.start(qz)
    >>> objective.centres.detach().flatten().sort().values.tolist()
    [0.5, 10.5]
    >>> round(objective(qz.loc, qz, Context()).item(), 4)
    0.0115
    """

    name: ClassVar[str] = "deep_clustering"
    needs_nuisance: ClassVar[bool] = False
    kinds: ClassVar[frozenset[str]] = frozenset()
    minimum: ClassVar[float | None] = 0.0
    is_learned: ClassVar[bool] = True
    target_key: ClassVar[str] = "clustering_target"
    """Key of the targets in ``context.clusters``."""

    frequencies: Tensor

    def __init__(
        self,
        n_latent: int,
        *,
        n_clusters: int = 10,
        nu: float = 1.0,
        momentum: float = 0.1,
        on: CodesSeen = "mean",
    ) -> None:
        super().__init__(n_latent, on=on)
        if n_clusters < 2:
            raise ValueError(f"n_clusters={n_clusters}: give at least 2.")
        if not nu > 0:
            raise ValueError(f"nu={nu} must be positive.")
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum={momentum} must be in [0, 1].")
        self.n_clusters = n_clusters
        self.nu = nu
        self.momentum = momentum
        self.centres = nn.Parameter(torch.zeros(n_clusters, n_latent))
        self.register_buffer("frequencies", torch.full((n_clusters,), 1 / n_clusters))
        self.options = {"n_latent": n_latent, "n_clusters": n_clusters, "nu": nu, "momentum": momentum, "on": on}

    @torch.no_grad()
    def start(self, codes: Normal) -> None:
        """Find centres and sizes of the clusters by K-means on posterior means; see :class:`Objective`.

        Raises
        ------
        ValueError
            If there are fewer cells than clusters.
        """
        centres, _ = kmeans_centres(codes.loc, self.n_clusters)
        self.centres.copy_(centres)
        self.frequencies.copy_(self.assign(codes.loc.to(self.centres)).mean(0))

    def assign(self, codes: Tensor) -> Tensor:
        """Soft assignments of codes ``(n_cells, n_latent)``, shape ``(n_cells, n_clusters)``."""
        return soft_assignments(codes, self.centres, self.nu)

    def forward(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Value of the divergence in nats; see :class:`Objective`."""
        assignments = self.assign(self.codes(z, qz).float())
        target = context.clusters.get(self.target_key)
        if target is not None:
            return clustering_divergence(self.labels(target), assignments)
        if self.training:
            with torch.no_grad():
                self.frequencies.lerp_(assignments.mean(0), self.momentum)
        return clustering_divergence(target_distribution(assignments, self.frequencies), assignments)
