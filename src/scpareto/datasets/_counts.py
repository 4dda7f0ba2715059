"""Draw negative-binomial counts as a sparse matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# Number of cells drawn at once, which keeps the dense intermediate array small.
# The random stream depends on this number: changing it changes every simulated data set.
_CELLS_PER_BLOCK = 1024


def draw_negative_binomial(
    log_profile: Callable[[slice], NDArray[np.float64]],
    library_size: NDArray[np.float64],
    dispersion: NDArray[np.float64],
    rng: np.random.Generator,
) -> sparse.csr_matrix:
    r"""Draw counts with a mean proportional to each cell's profile.

    Parameters
    ----------
    log_profile
        Function from a slice of cells to their unnormalised log expression, shape ``(n, n_genes)``.
    library_size
        Expected counts per cell, shape ``(n_cells,)``.
    dispersion
        Excess variance :math:`\phi_g` of each gene, shape ``(n_genes,)``: the variance is :math:`\mu + \phi_g \mu^2`.
    rng
        Generator, advanced.

    Returns
    -------
    scipy.sparse.csr_matrix
        Integer counts as float32, shape ``(n_cells, n_genes)``. A cell that would be empty gets one count in its most
        expressed gene, because models and normalisation need cells with counts.

    Notes
    -----
    :math:`\lambda_{ig} \sim \mathrm{Gamma}(1/\phi_g)` with mean :math:`\mu_{ig}`, count
    :math:`\sim \mathrm{Poisson}(\lambda_{ig})`.
    """
    blocks = []
    for start in range(0, len(library_size), _CELLS_PER_BLOCK):
        cells = slice(start, start + _CELLS_PER_BLOCK)
        log_rate = log_profile(cells)
        rate = np.exp(log_rate - log_rate.max(axis=1, keepdims=True))
        rate *= (library_size[cells] / rate.sum(axis=1))[:, None]
        counts = rng.poisson(rate * dispersion * rng.standard_gamma(1 / dispersion, size=rate.shape))
        empty = np.flatnonzero(counts.sum(axis=1) == 0)
        counts[empty, rate[empty].argmax(axis=1)] = 1
        blocks.append(sparse.csr_matrix(counts.astype(np.float32)))
    return sparse.vstack(blocks, format="csr")
