"""Hilbert-Schmidt independence criterion of codes and nuisance."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import torch

from scpareto.objectives._base import CodesSeen, Objective
from scpareto.objectives._kernels import (
    FollowingStandardizer,
    Kernel,
    delta,
    gaussian,
    guarded_sqrt,
    kernel_blocks,
)
from scpareto.objectives._registry import register_objective

if TYPE_CHECKING:
    from torch import Tensor
    from torch.distributions import Normal

    from scpareto.objectives._context import Context

HSICEstimator = Literal["unbiased", "biased"]


@register_objective
class HSIC(Objective):
    r"""Dependence of codes and nuisance, as the covariance of their kernels.

    With kernel matrices :math:`K` of the codes and :math:`L` of the nuisance, the unbiased estimator is the U-statistic

    .. math::
        V = \frac{1}{n (n - 3)} \left( \operatorname{tr} K L + \frac{1^\top K 1 \; 1^\top L 1}{(n - 1)(n - 2)}
            - \frac{2}{n - 2} 1^\top K L 1 \right)

    of matrices with zero diagonals, and the biased one is :math:`V = \sqrt{H + 10^{-8}} - 10^{-4}` of

    .. math::
        H = \overline{K \circ L} + \overline{K} \; \overline{L}
            - \frac{2}{n} \sum_i \overline{K_{i \cdot}} \; \overline{L_{i \cdot}}

    Codes and continuous nuisances have the kernel :math:`\exp(-\lVert a - b \rVert^2 / (2 e_d^2))` with the mean
    distance :math:`e_d = 2 \Gamma((d + 1) / 2) / \Gamma(d / 2)` of two standard Gaussian points in :math:`d`
    dimensions; a categorical nuisance has 1 for equal levels and 0 for others.

    Parameters
    ----------
    n_latent
        Number of dimensions of a code.
    n_categories
        Number of levels of the nuisance; None for a continuous one.
    target, on
        See :class:`Objective`. For ``on="both"`` the two codes of a cell are never compared with each other.
    estimator
        ``"unbiased"``, or ``"biased"`` with a square root as in the published penalty.
    standardize
        Whether codes are scaled by running moments.

    Raises
    ------
    ValueError
        If ``n_categories`` is below 2 or ``estimator`` is unknown.

    Notes
    -----
    Values are small: with 128 cells in two batches and ten dimensions, a shift of 1 in one of them gives 0.003
    (unbiased) or 0.07 (biased, of which 0.04 is there without any shift). Fewer than four cells give 0.

    References
    ----------
    Unbiased estimator: :cite:p:`Song2012`; as a penalty of a model of single cells: :cite:p:`Lopez2018HCV`.

    Examples
    --------
    A code that equals the batch, and one that is independent of it:

    >>> import torch
    >>> from torch.distributions import Normal
    >>> from scpareto.objectives import HSIC, Context
    >>> batch = torch.arange(8) % 2
    >>> context = Context(categorical={"batch": batch})
    >>> for codes in (99.0 * batch, 99.0 * (torch.arange(8) // 4)):
    ...     qz = Normal(codes[:, None], torch.ones(8, 1))
    ...     print(round(HSIC(1, 2, on="mean", standardize=False)(qz.loc, qz, context).item(), 2))
    0.34
    -0.06
    """

    name: ClassVar[str] = "hsic"
    kinds: ClassVar[frozenset[str]] = frozenset({"categorical", "continuous"})
    minimum: ClassVar[float | None] = 0.0
    location: Tensor
    spread: Tensor

    def __init__(
        self,
        n_latent: int,
        n_categories: int | None = None,
        *,
        target: str = "batch",
        on: CodesSeen = "sample",
        estimator: HSICEstimator = "unbiased",
        standardize: bool = True,
    ) -> None:
        super().__init__(n_latent, target=target, on=on)
        if n_categories is not None and n_categories < 2:
            raise ValueError(f"n_categories={n_categories}: dependence on a nuisance needs at least two levels.")
        if estimator not in get_args(HSICEstimator):
            raise ValueError(f"estimator={estimator!r} is not one of {', '.join(get_args(HSICEstimator))}.")
        self.n_categories = n_categories
        self.estimator = estimator
        self.standardizer = FollowingStandardizer(n_latent) if standardize else None
        self.kernel = _gaussian_of_dimension(n_latent)
        self.nuisance_kernel: Kernel = _gaussian_of_dimension(1) if n_categories is None else delta
        self.register_buffer("location", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))
        self.options |= {"n_categories": n_categories, "estimator": estimator, "standardize": standardize}

    def observe(self, context: Context) -> None:
        """Learn mean and standard deviation of a continuous nuisance from all training cells."""
        if self.n_categories is None:
            values = context.continuous[self.target].float()
            self.location.copy_(values.mean())
            self.spread.copy_(values.std().clamp(min=1e-6))

    def forward(self, z: Tensor, qz: Normal, context: Context) -> Tensor:
        """Value of the dependence; see :class:`Objective`."""
        codes = self.codes(z, qz).float()
        if self.standardizer is not None:
            codes = self.standardizer(codes)
        if len(z) < 4:
            return 0.0 * codes.sum()
        covariance = self._covariance(codes.view(-1, len(z), self.n_latent), self._nuisance(context))
        return covariance if self.estimator == "unbiased" else guarded_sqrt(covariance)

    def _nuisance(self, context: Context) -> Tensor:
        if self.n_categories is not None:
            return context.categorical[self.target].long()[:, None]
        return ((context.continuous[self.target].float() - self.location) / self.spread)[:, None]

    def _covariance(self, views: Tensor, nuisance: Tensor) -> Tensor:
        """Covariance of the kernels. The nuisance kernel is centred, so that one matrix product is enough."""
        n, diagonal = len(nuisance), self.estimator == "biased"
        n_row, n_all, n_pairs = (n, n * n, n * n) if diagonal else (n - 2, (n - 1) * (n - 2), n * (n - 3))
        blocks = kernel_blocks(self.nuisance_kernel, nuisance[None], diagonal=diagonal)
        row_sums = torch.cat([block.sum(1) for _, block in blocks])
        mean = row_sums.sum() / n_all
        total = views.new_zeros(())
        code_blocks = kernel_blocks(self.kernel, views, diagonal=diagonal)
        level_blocks = kernel_blocks(self.nuisance_kernel, nuisance[None], diagonal=diagonal)
        for (rows, codes), (_, levels) in zip(code_blocks, level_blocks, strict=True):
            centered = levels - (row_sums[rows, None] + row_sums) / n_row + mean
            total = total + (codes * centered).sum()
        return total / n_pairs


def _gaussian_of_dimension(n_dimensions: int) -> Kernel:
    """Gaussian kernel as wide as the mean distance of two standard Gaussian points."""
    log_distance = math.log(2) + math.lgamma((n_dimensions + 1) / 2) - math.lgamma(n_dimensions / 2)
    return partial(gaussian, variances=[math.exp(2 * log_distance)])
