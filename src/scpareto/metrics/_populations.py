"""Populations that batches share, found before embeddings are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, svds
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from scpareto.metrics._checks import check_count, check_labels, check_matrix
from scpareto.metrics._population_borders import common_borders
from scpareto.metrics._population_matching import match_clusters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

RESOLUTIONS = (8, 12, 20)
_MIN_CELLS_PER_CLUSTER = 20
_CONFIDENT_SIMILARITY = 0.8
"""Matches of at least this similarity are taken as one type, weaker ones as possibly two related types."""


@dataclass(frozen=True, eq=False)
class SharedPopulations:
    """Clusters found within batches and matched across them.

    Attributes
    ----------
    labels
        Population of each cell, shape ``(n_cells,)``, from 0; -1 if the cell's cluster has no counterpart in another
        batch, so that the cell is not assessable.
    clusters
        Cluster of each cell within its batch, shape ``(n_cells,)``, before reassignment.
    sizes
        Cells per population (rows) and batch (columns).
    not_assessable
        Share of each batch's cells that are not assessable, between 0 and 1.
    similarity
        Per population the lowest similarity of its matches, shape ``(n_populations,)``.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> types = np.tile(np.repeat(np.arange(4), 50), 2)
    >>> expression = 9 * np.eye(4)[types] + rng.normal(size=(400, 4))
    >>> populations = shared_populations(expression, np.repeat(["a", "b"], 200), n_clusters=4)
    >>> populations.sizes.shape, populations.spans(0)
    ((4, 2), ('a', 'b'))
    """

    labels: NDArray[np.int64]
    clusters: NDArray[np.int64]
    sizes: pd.DataFrame
    not_assessable: pd.Series
    similarity: NDArray[np.float64]

    def spans(self, population: int) -> tuple[str, ...]:
        """Batches that have cells of a population.

        Examples
        --------
        Two batches of one cell type each share no population, as there is no direction to compare:

        >>> import numpy as np
        >>> populations = shared_populations(np.ones((80, 2)), np.repeat(["a", "b"], 40))
        >>> len(populations.sizes), populations.not_assessable.to_dict()
        (0, {'a': 1.0, 'b': 1.0})
        """
        sizes = self.sizes.to_numpy()[self.sizes.index.get_loc(population)]
        return tuple(str(name) for name, size in zip(self.sizes.columns, sizes, strict=True) if size > 0)

    @property
    def confident_labels(self) -> NDArray[np.int64]:
        """Population of each cell, -1 also where the similarity of a match is below .8, shape ``(n_cells,)``.

        In such a population, batches may hold two related types, one in each batch.

        Examples
        --------
        >>> import numpy as np
        >>> types = np.tile(np.repeat(np.arange(4), 50), 2)
        >>> expression = 9 * np.eye(4)[types] + np.random.default_rng(0).normal(size=(400, 4))
        >>> populations = shared_populations(expression, np.repeat(["a", "b"], 200), n_clusters=4)
        >>> bool((populations.confident_labels == populations.labels).all())
        True
        """
        sure = np.append(self.similarity >= _CONFIDENT_SIMILARITY, False)
        return np.where(sure[self.labels], self.labels, -1)


def shared_populations(
    expression: ArrayLike | sparse.spmatrix | sparse.sparray,
    batch: ArrayLike,
    *,
    n_clusters: int = 12,
    n_components: int = 30,
    min_similarity: float = 0.5,
    min_cells: int = 10,
    seed: int = 0,
) -> SharedPopulations:
    r"""Find clusters within each batch and match them across batches.

    Shared populations are needed to measure the batch information of an embedding within populations. Clusters of a
    joint embedding do not serve, because batch effects split them.

    Parameters
    ----------
    expression
        Log-normalised expression, shape ``(n_cells, n_genes)``, dense or sparse, or its principal components, shape
        ``(n_cells, n_components)``. Use uncorrected values.
    batch
        Batch of each cell, shape ``(n_cells,)``; at least two distinct ones.
    n_clusters
        Clusters of each batch. A batch has at most one for each 20 of its cells.
    n_components
        With more columns than this, cells are clustered on principal components of the variation within batches.
    min_similarity
        Lowest similarity of two matched clusters, between 0 and 1.
    min_cells
        Cells that a population needs in each of two batches; smaller clusters are not matched.
    seed
        Seed of K-means and of the components.

    Returns
    -------
    SharedPopulations

    Raises
    ------
    ValueError
        If values are not finite, lengths differ, batches are missing, there is only one, or an option is out of range.

    Notes
    -----
    K-means within batches gives clusters :math:`k` of batch :math:`b` with mean profiles :math:`m_{bk}`. For two
    batches, let :math:`o_a` and :math:`o_b` be the means of the profiles that are matched between them. The similarity
    of two clusters is the concordance of their deviations :math:`u = m_{ai} - o_a` and :math:`v = m_{bj} - o_b`

    .. math:: r_{ai, bj} = \frac{2\, u^\top v}{u^\top u + v^\top v} ,

    in which an effect of a batch on all its cells cancels. Clusters that are each other's most similar are matched.
    Origins and matches are updated in turn until neither changes, starting from the means of all clusters. A match
    counts if :math:`r \ge` ``min_similarity``. Two unrelated clusters that are not among the :math:`K` shared ones
    reach about :math:`1 / (K + 1)`.

    With several batches, matches are joined in the order of their similarity. A match that would put two clusters of a
    batch into one population is left out, so that no chain of weak matches joins what one batch separates. A leftover
    cluster joins a population if its mean similarity to the clusters of that population in other batches is at least
    .8, and its nearest cluster in its own batch is in the population or no cluster of its batch is. This handles large
    types that clustering splits in one batch and not in another.

    Matched clusters define the centres of populations. The borders of K-means are random and differ between batches, so
    cells are reassigned, in rounds, to the nearest centre. The centre is shifted by the effect of the batch on all
    cells and, as far as it exceeds the variance within clusters, by its effect on that population. Without batch
    effects, all batches thus have the same borders. Clusters that are still unmatched join if another batch has cells
    there, with at least a tenth of the density. The others keep their centres, and their cells are not assessable.

    Two types that differ from all others in the same way and occur in one batch each are taken as one. No method that
    allows for batch effects can distinguish them from one type that the batch has changed.

    Examples
    --------
    Three shared types in two batches that are far apart, and one type that only the second batch has:

    >>> import numpy as np
    >>> types = np.concatenate([np.repeat([0, 1, 2], 60), np.repeat([0, 1, 2, 3], 60)])
    >>> batch = np.repeat(["a", "b"], [180, 240])
    >>> expression = 9 * np.eye(4)[types] + 20.0 * (batch == "b")[:, None]
    >>> expression += np.random.default_rng(0).normal(size=(420, 4))
    >>> populations = shared_populations(expression, batch, n_clusters=4)
    >>> populations.not_assessable.round(2).to_dict(), np.unique(populations.labels[types == 3])
    ({'a': 0.0, 'b': 0.25}, array([-1]))
    """
    text = check_labels(batch, "batch", n_cells=np.shape(expression)[0], min_labels=2)
    wanted = check_count(n_clusters, "n_clusters", minimum=2)
    least = check_count(min_cells, "min_cells", minimum=1)
    if not 0 < min_similarity < 1:
        raise ValueError(f"`min_similarity` is {min_similarity}; give a number between 0 and 1.")
    names, level = np.unique(text, return_inverse=True)
    x = _reduce_columns(expression, level, check_count(n_components, "n_components", minimum=2), seed)

    clusters = np.empty(len(text), dtype=np.int64)
    taking_part, centroids = [], []
    with threadpool_limits(limits=1):
        for b in range(len(names)):
            cells = np.flatnonzero(level == b)
            most = min(wanted, max(1, len(cells) // _MIN_CELLS_PER_CLUSTER), len(np.unique(x[cells], axis=0)))
            clusters[cells] = of_batch = KMeans(most, n_init=5, random_state=seed).fit_predict(x[cells])
            large = np.flatnonzero(np.bincount(of_batch) >= least)
            taking_part.append(large)
            centroids.append(np.array([x[cells[of_batch == k]].mean(axis=0) for k in large]).reshape(-1, x.shape[1]))
        matched, strengths = match_clusters(centroids, min_similarity=min_similarity)

        labels = np.full(len(text), -1)
        for b, (rows, population) in enumerate(zip(taking_part, matched, strict=True)):
            for row, label in zip(rows, population, strict=True):
                labels[(level == b) & (clusters == row)] = label
        labels = common_borders(x, level, clusters, labels)
    sizes = np.zeros((len(strengths) + 1, len(names)), dtype=np.int64)
    np.add.at(sizes, (labels, level), 1)
    shared = np.flatnonzero((sizes[:-1] >= least).sum(axis=1) > 1)
    # The largest first, whatever the order in which they were found.
    order = shared[np.argsort(-sizes[shared].sum(axis=1), kind="stable")]
    rank = np.full(len(strengths) + 1, -1)
    rank[order] = np.arange(len(order))
    labels = rank[labels]
    return SharedPopulations(
        labels,
        clusters,
        pd.DataFrame(sizes[order], index=pd.RangeIndex(len(order), name="population"), columns=names),
        pd.Series(np.bincount(level, labels < 0) / np.bincount(level), index=names, name="not_assessable"),
        np.array(strengths)[order],
    )


def populations_at_resolutions(
    expression: ArrayLike | sparse.spmatrix | sparse.sparray,
    batch: ArrayLike,
    *,
    n_clusters: Sequence[int] = RESOLUTIONS,
    seed: int = 0,
) -> tuple[SharedPopulations, ...]:
    """Shared populations at several resolutions, by default 8, 12 and 20 clusters of each batch.

    Parameters
    ----------
    expression, batch, seed
        See :func:`~scpareto.metrics.shared_populations`.
    n_clusters
        Clusters of each batch, one number per resolution.

    Returns
    -------
    tuple of SharedPopulations
        One per resolution.

    Examples
    --------
    >>> import numpy as np
    >>> expression = np.random.default_rng(0).normal(size=(400, 4))
    >>> resolutions = populations_at_resolutions(expression, np.repeat(["a", "b"], 200), n_clusters=(3, 5))
    >>> [len(np.unique(populations.clusters)) for populations in resolutions]
    [3, 5]
    """
    return tuple(shared_populations(expression, batch, n_clusters=k, seed=seed) for k in n_clusters)


def _reduce_columns(
    expression: ArrayLike | sparse.spmatrix | sparse.sparray, level: NDArray[np.int64], n_components: int, seed: int
) -> NDArray[np.float64]:
    """Return the columns unchanged if they are few, otherwise principal components of the variation within batches."""
    if not sparse.issparse(expression):
        x: Any = check_matrix(expression, "expression")
    else:
        x = sparse.csr_matrix(expression, dtype=np.float64)
        if not np.isfinite(x.data).all():
            raise ValueError("`expression` has NaN or infinite values; remove those cells.")
    if min(x.shape) <= n_components:
        return np.asarray(x.toarray() if sparse.issparse(x) else x)
    of_batch = sparse.csr_matrix((np.ones(len(level)), (level, np.arange(len(level)))))
    sums = of_batch @ x
    means = (sums.toarray() if sparse.issparse(sums) else sums) / np.bincount(level)[:, None]
    # Centred on the fly: a sparse matrix stays sparse.
    centred = LinearOperator(
        x.shape,
        matvec=lambda v: x @ v.ravel() - (means @ v.ravel())[level],
        rmatvec=lambda v: x.T @ v.ravel() - means.T @ (of_batch @ v.ravel()),
        dtype=np.float64,
    )
    directions = svds(centred, k=n_components, random_state=seed)[2]
    return np.asarray(x @ directions.T)
