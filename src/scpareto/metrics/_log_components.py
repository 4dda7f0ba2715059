"""Log-normalised counts and their principal axes after subtraction of group offsets, without a dense matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OVERSAMPLING = 10
_N_POWER_ITERATIONS = 4


def log_normalised(counts: Any) -> Any:
    r"""Return :math:`\log(1 + x \cdot \bar n / n)` of counts, with :math:`n` the total of a cell and the median total.

    Sparse where ``counts`` is sparse. A cell without counts stays at zero.
    """
    total = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    filled = total > 0
    factor = np.zeros_like(total)
    if filled.any():
        factor[filled] = np.median(total[filled]) / total[filled]
    if not sparse.issparse(counts):
        return np.log1p(np.asarray(counts) * factor[:, None]).astype(np.float32)
    logged = counts.tocsr().astype(np.float32)
    logged.data = np.log1p(logged.data * np.repeat(factor, np.diff(logged.indptr)).astype(np.float32))
    return logged


def membership(group: NDArray[np.int64], n_groups: int) -> sparse.csr_matrix:
    """Return the indicator matrix of groups, shape ``(n_groups, n_cells)``; cells of group -1 are in none."""
    cells = np.flatnonzero(group >= 0)
    ones = np.ones(len(cells), dtype=np.float32)
    return sparse.csr_matrix((ones, (group[cells], cells)), shape=(n_groups, len(group)))


def group_means(values: Any, group: NDArray[np.int64], n_groups: int) -> NDArray[np.float64]:
    """Return the mean row of each group, shape ``(n_groups, n_columns)``; zero for an empty one."""
    sums = membership(group, n_groups) @ values
    dense = np.asarray(sums.todense() if sparse.issparse(sums) else sums, dtype=np.float64)
    return dense / np.maximum(np.bincount(group[group >= 0], minlength=n_groups), 1)[:, None]


def principal_axes(
    values: Any, group: NDArray[np.int64], offsets: NDArray[np.float64], n_axes: int, *, seed: int
) -> NDArray[np.float64]:
    """Return the leading axes of ``values - offsets[group]``, shape ``(n_columns, n_axes)``, by randomised iteration.

    Offsets are subtracted group by group within the products, so that a sparse matrix stays sparse.
    """
    of_group = membership(group, len(offsets))

    def forward(axes: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(values @ axes) - (offsets @ axes)[group]

    def backward(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(values.T @ scores) - offsets.T @ np.asarray(of_group @ scores)

    width = min(n_axes + _OVERSAMPLING, *values.shape)
    basis = forward(np.random.default_rng(seed).normal(size=(values.shape[1], width)))
    for _ in range(_N_POWER_ITERATIONS):
        basis = forward(np.linalg.qr(backward(np.linalg.qr(basis)[0]))[0])
    _, _, axes = np.linalg.svd(backward(np.linalg.qr(basis)[0]).T, full_matrices=False)
    return axes[: min(n_axes, width)].T
