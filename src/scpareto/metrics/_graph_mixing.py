"""Mixing of batches among neighbours within populations, relative to random neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.special import entr
from scipy.stats import binom
from sklearn.neighbors import NearestNeighbors

from scpareto.metrics._checks import check_count, check_labels, check_matrix
from scpareto.metrics._ties import break_ties

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MIN_NEIGHBORS = 2.0


@dataclass(frozen=True, eq=False)
class GraphMixing:
    """Mixing of batches among neighbours.

    Attributes
    ----------
    value
        Mean entropy of the batches among neighbours as a share of what random neighbours of the same population would
        have, in %. NaN where no cell can be judged.
    entropy, expected
        Both entropies of each cell in nats, shape ``(n_cells,)``; NaN for cells without a population or with fewer
        than two neighbours in it.

    Examples
    --------
    >>> import numpy as np
    >>> codes = np.random.default_rng(0).normal(size=(200, 2))
    >>> mixing = graph_mixing(np.arange(200) % 2, np.zeros(200, dtype=int), codes=codes)
    >>> bool(90 < mixing.value < 110), mixing.entropy.shape
    (True, (200,))
    """

    value: float
    entropy: NDArray[np.float64]
    expected: NDArray[np.float64]


def graph_mixing(
    batch: ArrayLike,
    populations: ArrayLike,
    *,
    codes: ArrayLike | None = None,
    graph: sparse.spmatrix | sparse.sparray | None = None,
    n_neighbors: int = 15,
    seed: int = 0,
) -> GraphMixing:
    r"""Entropy of the batches among each cell's neighbours of its own population, relative to random neighbours.

    Parameters
    ----------
    batch
        Batch of each cell, shape ``(n_cells,)``.
    populations
        Population of each cell, shape ``(n_cells,)``, integers; negative for cells that are not judged.
    codes
        Codes, shape ``(n_cells, n_latent)``: neighbours are the nearest cells of the same population.
    graph
        Or a neighbour graph, sparse, shape ``(n_cells, n_cells)``, with weights that are larger for nearer neighbours
        (connectivities). Neighbours of other populations are ignored.
    n_neighbors
        Neighbours :math:`k` in the codes; fewer in populations with fewer cells.
    seed
        Seed of the order of tied cells.

    Returns
    -------
    GraphMixing

    Raises
    ------
    ValueError
        If neither or both of ``codes`` and ``graph`` are given, shapes disagree, or values are not finite.

    Notes
    -----
    With :math:`p_{ib}` the share of batch :math:`b` in the weights of the neighbours of cell :math:`i`, and
    :math:`\pi_{cb}` the proportions of the batches in population :math:`c`,

    .. math::
        100 \, \frac{\sum_i \sum_b -p_{ib} \log p_{ib}}{\sum_i \mathrm{E}\, H(\mathrm{Mult}(m_i, \pi_{c_i}) / m_i)} ,
        \qquad m_i = \frac{(\sum_j w_{ij})^2}{\sum_j w_{ij}^2} .

    The denominator is the exact expectation for equally many random neighbours, so that few neighbours or a rare batch
    do not lower the value. A graph with equally many neighbours from each batch, such as that of BBKNN, can exceed 100.

    Examples
    --------
    >>> import numpy as np
    >>> batch = np.repeat(["a", "b"], 100)
    >>> codes = np.random.default_rng(0).normal(size=(200, 2)) + 100 * (batch == "b")[:, None]
    >>> graph_mixing(batch, np.zeros(200, dtype=int), codes=codes).value
    0.0
    """
    if (codes is None) == (graph is None):
        raise ValueError("give either `codes` or `graph`.")
    n = len(np.asarray(batch))
    names, level = np.unique(check_labels(batch, "batch", n_cells=n), return_inverse=True)
    population = np.asarray(populations)
    if population.shape != (n,):
        raise ValueError(f"`populations` has shape {population.shape} but there are {n} cells; give one per cell.")
    if graph is not None:
        weights = _check_graph(graph, n)
    else:
        weights = _neighbors_within(
            check_matrix(codes if codes is not None else [], "codes"),
            population,
            check_count(n_neighbors, "n_neighbors", minimum=2),
            np.random.default_rng(seed),
        )
    links = weights.tocoo()
    same = (population[links.row] == population[links.col]) & (population[links.row] >= 0) & (links.row != links.col)
    row, weight = links.row[same], links.data[same]
    sums = np.zeros((n, len(names)))
    np.add.at(sums, (row, level[links.col[same]]), weight)
    total = sums.sum(axis=1)
    squares = np.bincount(row, weight**2, minlength=n)
    effective_neighbors = np.divide(total**2, squares, out=np.zeros(n), where=squares > 0)
    judged = effective_neighbors >= _MIN_NEIGHBORS - 1e-9
    entropy, expected = np.full(n, np.nan), np.full(n, np.nan)
    entropy[judged] = entr(sums[judged] / total[judged, None]).sum(axis=1)
    for c in np.unique(population[judged]):
        batch_sizes = np.bincount(level[population == c], minlength=len(names))
        cells = np.flatnonzero(judged & (population == c))
        count = np.rint(effective_neighbors[cells]).astype(np.int64)
        for m in np.unique(count):
            expected[cells[count == m]] = _expected_entropy(batch_sizes / batch_sizes.sum(), int(m))
    most = np.nansum(expected)
    return GraphMixing(100 * float(np.nansum(entropy) / most) if most > 0 else np.nan, entropy, expected)


def _expected_entropy(proportions: NDArray[np.float64], m: int) -> float:
    """Mean entropy of the shares of ``m`` random draws, as a sum over batches of means over binomial counts."""
    counts = np.arange(m + 1)
    return float(sum(binom.pmf(counts, m, p) @ entr(counts / m) for p in proportions if p > 0))


def _check_graph(graph: sparse.spmatrix | sparse.sparray, n: int) -> sparse.csr_matrix:
    if not sparse.issparse(graph) or graph.shape != (n, n):
        raise ValueError(f"`graph` must be sparse, of shape {(n, n)}: one row and one column per cell of `batch`.")
    weights = sparse.csr_matrix(graph, dtype=np.float64)
    if not np.isfinite(weights.data).all() or (weights.data < 0).any():
        raise ValueError("`graph` has negative, NaN or infinite weights; give connectivities, not distances.")
    return weights


def _neighbors_within(
    z: NDArray[np.float64], population: NDArray[np.int64], k: int, rng: np.random.Generator
) -> sparse.csr_matrix:
    n = len(population)
    if len(z) != n:
        raise ValueError(f"`codes` has {len(z)} rows but `batch` has {n}; give the same cells.")
    z = break_ties(z, rng)
    rows, columns = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for c in np.unique(population[population >= 0]):
        cells = np.flatnonzero(population == c)
        n_near = min(k, len(cells) - 1)
        if n_near < 1:
            continue
        near = NearestNeighbors(n_neighbors=n_near).fit(z[cells]).kneighbors(return_distance=False)
        rows.append(np.repeat(cells, n_near))
        columns.append(cells[near].ravel())
    row, column = np.concatenate(rows), np.concatenate(columns)
    return sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(n, n))
