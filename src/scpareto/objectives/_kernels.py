"""Kernels of pairs of cells, evaluated in blocks of rows, and a standardizer for kernel objectives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from scpareto.objectives._critic import CodeStandardizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Kernel = Callable[[Tensor, Tensor], Tensor]
"""Takes ``(n, d)`` and ``(m, d)`` and gives ``(n, m)``."""

MAX_ELEMENTS = 2**18
"""Elements of a kernel matrix that are evaluated at a time. They fit into a processor's cache, and memory stays small
without gradients. The matrix of a usual minibatch is evaluated at once."""


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distances of the rows of ``a``, ``(n, d)``, and ``b``, ``(m, d)``, shape ``(n, m)``.

    Differences are formed explicitly: the expansion by a matrix product loses digits far from the origin and is run in
    half precision under autocast. The gradient where two rows coincide is 0.
    """
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()


def gaussian(a: Tensor, b: Tensor, *, variances: Sequence[float]) -> Tensor:
    r"""Mean over the variances of :math:`\exp(-\lVert a - b \rVert^2 / (2 \sigma^2))`, shape ``(n, m)``."""
    distances = squared_distances(a, b)
    return torch.stack([torch.exp(distances * (-0.5 / variance)) for variance in variances]).mean(0)


def inverse_multiquadric(a: Tensor, b: Tensor, *, scales: Sequence[float]) -> Tensor:
    r"""Mean over the scales of :math:`c / (c + \lVert a - b \rVert^2)`, shape ``(n, m)``."""
    distances = squared_distances(a, b)
    return torch.stack([scale / (scale + distances) for scale in scales]).mean(0)


def delta(a: Tensor, b: Tensor) -> Tensor:
    """1 where two levels, ``(n, 1)`` and ``(m, 1)``, agree and 0 elsewhere, shape ``(n, m)``."""
    return (a == b.T).float()


def kernel_blocks(kernel: Kernel, views: Tensor, *, diagonal: bool = True) -> Iterator[tuple[Tensor, Tensor]]:
    """Kernel matrix of cells, in blocks of rows.

    Parameters
    ----------
    kernel
        Kernel of two codes.
    views
        Codes of the cells, shape ``(n_views, n_cells, n_latent)``. Several codes of one cell are judged together by
        the mean of the kernel over all of their pairs, so that cells stay independent and each has its own diagonal.
    diagonal
        Whether a cell is compared with itself; 0 otherwise.

    Yields
    ------
    Indices of the rows, and the rows, shape ``(n_rows, n_cells)``.
    """
    cells = torch.arange(views.shape[1], device=views.device)
    for rows in cells.split(max(1, MAX_ELEMENTS // len(cells))):
        block = torch.stack([kernel(a[rows], b) for a in views for b in views]).mean(0)
        yield rows, block if diagonal else block.masked_fill(rows[:, None] == cells, 0.0)


def group_sums(kernel: Kernel, views: Tensor, groups: Tensor, n_groups: int, *, diagonal: bool = True) -> Tensor:
    """Sum the kernel over the pairs of cells of each two groups.

    Parameters
    ----------
    kernel, views, diagonal
        See :func:`kernel_blocks`.
    groups
        Group of each cell, shape ``(n_cells,)``.
    n_groups
        Number of groups; some may be empty.

    Returns
    -------
    Shape ``(n_groups, n_groups)``.
    """
    by_row = views.new_zeros(n_groups, views.shape[1])
    for rows, block in kernel_blocks(kernel, views, diagonal=diagonal):
        by_row = by_row.index_add(0, groups[rows], block)
    return views.new_zeros(n_groups, n_groups).index_add(1, groups, by_row)


def guarded_sqrt(squared: Tensor) -> Tensor:
    r""":math:`\sqrt{x + 10^{-8}} - 10^{-4}` of the positive part: a finite slope at 0, and the value 0 there."""
    return torch.sqrt(squared.clamp(min=0) + 1e-8) - 1e-4


class FollowingStandardizer(CodeStandardizer):
    """Standardizer whose moments follow the codes, for objectives without critic steps.

    The moments are updated during training. Without training, e.g. in a copy that only judges, the first codes set
    them.
    """

    def forward(self, codes: Tensor) -> Tensor:
        """Standardised codes, same shape ``(n_cells, n_latent)``."""
        if self.training or not self.n_updates:
            self.update(codes.detach())
        return super().forward(codes)
