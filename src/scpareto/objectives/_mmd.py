"""Maximum mean discrepancy of the codes of batches."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import torch

from scpareto.objectives._base import CodesSeen, Objective
from scpareto.objectives._kernels import FollowingStandardizer, Kernel, gaussian, group_sums, guarded_sqrt
from scpareto.objectives._registry import register_objective

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives._context import Context

Reduction = Literal["sum", "mean"]


class GaussianDiscrepancy(Objective):
    r"""Discrepancy of batches under a mean of Gaussian kernels.

    .. math::
        k(z, z') = \frac{1}{n_b} \sum_b \exp\left(-\frac{\sqrt{d} \lVert z - z' \rVert^2}{2 (c b)^2}\right)

    with :math:`d` dimensions of the codes, bandwidths :math:`b` and a common factor :math:`c`.

    Parameters
    ----------
    n_latent
        Number of dimensions of a code.
    n_categories
        Number of levels of the nuisance.
    target, on
        See :class:`Objective`.
    bandwidths
        Bandwidths of the kernels; the defaults are the published ones.
    bandwidth_scale
        Factor of all bandwidths.

    Raises
    ------
    ValueError
        If ``n_categories`` is below 2, there are no bandwidths, or one of them or their factor is not positive.
    """

    minimum: ClassVar[float | None] = 0.0

    def __init__(
        self,
        n_latent: int,
        n_categories: int,
        *,
        target: str = "batch",
        on: CodesSeen = "sample",
        bandwidths: Sequence[float] = (1, 2, 5, 8, 10),
        bandwidth_scale: float = 1.0,
    ) -> None:
        super().__init__(n_latent, target=target, on=on)
        if n_categories < 2:
            raise ValueError(f"n_categories={n_categories}: a discrepancy of batches needs at least two levels.")
        if not bandwidths or min(bandwidths) <= 0:
            raise ValueError(f"bandwidths={tuple(bandwidths)} are not one or more positive numbers.")
        if bandwidth_scale <= 0:
            raise ValueError(f"bandwidth_scale={bandwidth_scale} is not positive.")
        self.n_categories = n_categories
        variances = [(bandwidth_scale * bandwidth) ** 2 / math.sqrt(n_latent) for bandwidth in bandwidths]
        self.kernel: Kernel = partial(gaussian, variances=variances)
        self.options |= {
            "n_categories": n_categories,
            "bandwidths": tuple(bandwidths),
            "bandwidth_scale": bandwidth_scale,
        }

    def sums(self, codes: Tensor, levels: Tensor, *, diagonal: bool) -> tuple[Tensor, Tensor]:
        """Kernel sums over the pairs of cells of each two levels, ``(B, B)``, and the cells of each, ``(B,)``."""
        views = codes.view(-1, len(levels), self.n_latent)
        sums = group_sums(self.kernel, views, levels, self.n_categories, diagonal=diagonal)
        return sums, torch.bincount(levels, minlength=self.n_categories).to(sums.dtype)


@register_objective
class MMD(GaussianDiscrepancy):
    r"""Maximum mean discrepancy of the batches, the biased estimator as published.

    .. math::
        \mathrm{MMD}(a, b) = \sqrt{\overline{k_{aa}} - 2 \overline{k_{ab}} + \overline{k_{bb}}}

    with means over all pairs, the diagonals included. The value is :math:`\mathrm{MMD}(z_0, z_1)` of two batches, and
    :math:`\sum_b \mathrm{MMD}(z_b, z)` of each of several against the whole minibatch, which contains it. Codes are
    standardised within the minibatch. See :class:`GaussianDiscrepancy` for the kernel.

    Parameters
    ----------
    n_latent, n_categories, target, on, bandwidths, bandwidth_scale
        See :class:`GaussianDiscrepancy`.
    reduction
        Whether several batches are summed, as published, or averaged over those in the minibatch.

    Raises
    ------
    ValueError
        If ``reduction`` is neither; see also :class:`GaussianDiscrepancy`.

    Notes
    -----
    Without any effect the value is not 0 but depends on the number of cells: 0.143 for 128 cells in two equal batches
    and ten dimensions, where a shift by one standard deviation in one dimension gives 0.19. Codes that have collapsed
    onto one point except for a distant one fall below that value. :class:`MMDUnbiased` has neither problem. A batch
    without cells in the minibatch adds 0, and so does a batch that is alone in it.

    References
    ----------
    Estimator: :cite:p:`Gretton2012`; as a batch penalty of scVI: :cite:p:`Li2022`.

    Examples
    --------
    The same four codes in both batches, and batches far apart:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import MMD, Context
    >>> batch = torch.arange(8) % 2
    >>> context = Context(categorical={"batch": batch})
    >>> for codes in (torch.arange(8) // 2, 99 * batch):
    ...     qz = Normal(codes[:, None].float(), torch.ones(8, 1))
    ...     print(round(MMD(1, 2, on="mean")(qz.loc, qz, context).item(), 2))
    0.0
    0.72
    """

    name: ClassVar[str] = "mmd"

    def __init__(
        self,
        n_latent: int,
        n_categories: int,
        *,
        target: str = "batch",
        on: CodesSeen = "sample",
        bandwidths: Sequence[float] = (1, 2, 5, 8, 10),
        bandwidth_scale: float = 1.0,
        reduction: Reduction = "sum",
    ) -> None:
        super().__init__(
            n_latent, n_categories, target=target, on=on, bandwidths=bandwidths, bandwidth_scale=bandwidth_scale
        )
        if reduction not in get_args(Reduction):
            raise ValueError(f"reduction={reduction!r} is not one of {', '.join(get_args(Reduction))}.")
        self.reduction = reduction
        self.options["reduction"] = reduction

    def forward(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Value of the discrepancy; see :class:`Objective`."""
        codes = _standardize_minibatch(self.codes(z, qz).float())
        sums, counts = self.sums(codes, context.categorical[self.target].long(), diagonal=True)
        present = counts.clamp(min=1)
        within = sums.diagonal() / present**2
        if self.n_categories == 2:
            squared = within.sum() - 2 * sums[0, 1] / present.prod()
            return torch.where(counts.min() > 0, guarded_sqrt(squared), 0.0)
        n_cells = counts.sum()
        squared = within - 2 * sums.sum(1) / (present * n_cells) + sums.sum() / n_cells**2
        compared = (counts > 0) & (counts < n_cells)
        total = torch.where(compared, guarded_sqrt(squared), 0.0).sum()
        return total if self.reduction == "sum" else total / compared.sum().clamp(min=1)


@register_objective
class MMDUnbiased(GaussianDiscrepancy):
    r"""Squared maximum mean discrepancy of each batch against the rest, the unbiased estimator.

    .. math::
        V = \sum_b \frac{n_b}{\sum_{b'} n_{b'}} \left(
            \frac{\sum_{i \ne j} k(z^b_i, z^b_j)}{n_b (n_b - 1)}
            - \frac{2 \sum_{i, j} k(z^b_i, z^r_j)}{n_b n_r}
            + \frac{\sum_{i \ne j} k(z^r_i, z^r_j)}{n_r (n_r - 1)} \right)

    with :math:`r` all cells of other batches, over the batches with at least two cells on either side. Codes are scaled
    by running moments. See :class:`GaussianDiscrepancy` for the kernel.

    Parameters
    ----------
    n_latent, n_categories, target, on, bandwidths, bandwidth_scale
        See :class:`GaussianDiscrepancy`. For ``on="both"`` the two codes of a cell are never compared with each other.

    Notes
    -----
    The mean is 0 where codes do not depend on the batch, so that about half of the values are then negative.

    References
    ----------
    :cite:p:`Gretton2012`.

    Examples
    --------
    Batches of the same distribution give zero on average, and not in each draw:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import Context, MMDUnbiased
    >>> _ = torch.manual_seed(0)
    >>> objective, context = MMDUnbiased(2, 2), Context(categorical={"batch": torch.arange(100) % 2})
    >>> qz = Normal(torch.zeros(100, 2), torch.ones(100, 2))
    >>> values = torch.stack([objective(qz.sample(), qz, context) for _ in range(100)])
    >>> bool((values < 0).any()), bool(values.mean().abs() < 0.003)
    (True, True)
    """

    name: ClassVar[str] = "mmd_unbiased"

    def __init__(
        self,
        n_latent: int,
        n_categories: int,
        *,
        target: str = "batch",
        on: CodesSeen = "sample",
        bandwidths: Sequence[float] = (1, 2, 5, 8, 10),
        bandwidth_scale: float = 1.0,
    ) -> None:
        super().__init__(
            n_latent, n_categories, target=target, on=on, bandwidths=bandwidths, bandwidth_scale=bandwidth_scale
        )
        self.standardizer = FollowingStandardizer(n_latent)

    def forward(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Value of the squared discrepancy; see :class:`Objective`."""
        codes = self.standardizer(self.codes(z, qz).float())
        sums, counts = self.sums(codes, context.categorical[self.target].long(), diagonal=False)
        rest = counts.sum() - counts
        within, of_batch = sums.diagonal(), sums.sum(1)
        across = of_batch - within
        # Each pair of cells of two batches is in the rows of both.
        within_rest = sums.sum() - within - 2 * across
        squared = (
            within / (counts * (counts - 1)).clamp(min=1)
            - 2 * across / (counts * rest).clamp(min=1)
            + within_rest / (rest * (rest - 1)).clamp(min=1)
        )
        weights = torch.where((counts > 1) & (rest > 1), counts, 0.0)
        return (weights * squared).sum() / weights.sum().clamp(min=1)


def _standardize_minibatch(codes: Tensor) -> Tensor:
    """Scale each dimension to mean 0 and standard deviation 1 within the minibatch; gradients flow through both."""
    centered = codes - codes.mean(0)
    variance = centered.square().sum(0) / max(len(codes) - 1, 1)
    return centered / variance.clamp(min=1e-12).sqrt()
