"""Draw gamma-Poisson counts with given means as a sparse matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# The random stream depends on this number: changing it changes every simulated data set.
_CELLS_PER_BLOCK = 1024


def draw_gamma_poisson(
    moments: Callable[[slice], tuple[NDArray[np.float64], NDArray[np.float64]]],
    n_cells: int,
    rng: np.random.Generator,
) -> sparse.csr_matrix:
    r"""Draw counts whose mean and excess variance may differ from entry to entry.

    Parameters
    ----------
    moments
        Function from a slice of cells to their means :math:`\mu` and excess variances :math:`v`, each of shape
        ``(n, n_genes)``: the variance of a count is :math:`\mu + v`. An excess of 0 is a Poisson count.
    n_cells
        Number of cells.
    rng
        Generator, advanced.

    Returns
    -------
    scipy.sparse.csr_matrix
        Integer counts as float32, shape ``(n_cells, n_genes)``. A cell that would be empty gets one count in its most
        expressed gene.
    """
    blocks = []
    for start in range(0, n_cells, _CELLS_PER_BLOCK):
        mean, excess = moments(slice(start, min(start + _CELLS_PER_BLOCK, n_cells)))
        positive_excess = np.where(excess > 0, excess, 1.0)
        scale = np.where(mean > 0, positive_excess / np.where(mean > 0, mean, 1.0), 1.0)
        rate = np.where(excess > 0, scale * rng.standard_gamma(mean**2 / positive_excess), mean)
        counts = rng.poisson(rate)
        empty = np.flatnonzero(counts.sum(axis=1) == 0)
        counts[empty, mean[empty].argmax(axis=1)] = 1
        blocks.append(sparse.csr_matrix(counts.astype(np.float32)))
    return sparse.vstack(blocks, format="csr")
