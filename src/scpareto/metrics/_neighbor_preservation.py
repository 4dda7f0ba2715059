"""Share of nearest neighbours that an embedding keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from scpareto.metrics._checks import check_count, check_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_BLOCK = 512


def neighbor_preservation(
    original: ArrayLike, embedding: ArrayLike, n_neighbors: int | Sequence[int], *, adjusted: bool = False
) -> NDArray[np.float64]:
    r"""Share of each cell's nearest neighbours that are still among its nearest in an embedding.

    Parameters
    ----------
    original
        Features of the cells, shape ``(n_cells, n_features)``.
    embedding
        Embedding of the same cells, shape ``(n_cells, n_dimensions)``.
    n_neighbors
        Numbers of neighbours :math:`K`, the cell itself not counted.
    adjusted
        Whether to subtract the expectation under chance, :math:`K / (n - 1)`, and rescale: 0 is chance, 1 is perfect.

    Returns
    -------
    One share for each number of neighbours, shape ``(n_numbers,)``.

    Raises
    ------
    ValueError
        If values are not finite, the numbers of cells differ, or there are no more cells than neighbours.

    Notes
    -----
    .. math:: P_K = \frac{1}{n} \sum_i \frac{|N_K^{\mathrm{high}}(i) \cap N_K^{\mathrm{low}}(i)|}{K}

    Time and memory grow with the largest :math:`K` times the number of cells.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> neighbor_preservation(x, 2 * x, [5, 10]).tolist()
    [1.0, 1.0]
    """
    high, low = check_matrix(original, "original"), check_matrix(embedding, "embedding")
    if len(high) != len(low):
        raise ValueError(f"`original` has {len(high)} cells and `embedding` {len(low)}.")
    numbers = [check_count(k, "n_neighbors", minimum=1) for k in np.atleast_1d(n_neighbors)]
    largest, n = max(numbers), len(high)
    if largest >= n:
        raise ValueError(f"`n_neighbors` is {largest}; there are only {n} cells.")
    with threadpool_limits(limits=1):
        near_high, near_low = (
            NearestNeighbors(n_neighbors=largest).fit(x).kneighbors(return_distance=False) for x in (high, low)
        )
    shared = np.zeros(len(numbers))
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        ranks = np.full((len(near_high[rows]), n), largest, dtype=np.int32)
        np.put_along_axis(ranks, near_high[rows], np.arange(largest, dtype=np.int32)[None], axis=1)
        of_low = np.take_along_axis(ranks, near_low[rows], axis=1)
        for i, k in enumerate(numbers):
            shared[i] += (of_low[:, :k] < k).sum()
    kept = shared / (n * np.array(numbers))
    chance = np.array(numbers) / (n - 1)
    return (kept - chance) / (1 - chance) if adjusted else kept
