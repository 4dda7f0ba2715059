"""Share of the differences between groups of cells of a batch that codes keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from scpareto.metrics._checks import check_count, check_labels, check_matrix
from scpareto.metrics._neighbors import nearest_others

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

_MIN_INDEPENDENT = 2.0
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Contrast:
    """Two groups of cells and the direction in expression space that separates them.

    Parameters
    ----------
    name
        The batch of the cells, or the gene.
    groups
        Rows of the cells of either group.
    axis
        Direction from the first group to the second, shape ``(n_components,)``, scaled so that the projections of
        the two means differ by 1.

    Examples
    --------
    Projections onto the axis of the means of the two groups, here at 0 and 4, differ by 1:

    >>> import numpy as np
    >>> contrast = contrast_of_gene("XIST", np.array([0.0, 4.0, 4.0]), column=0, n_columns=2)
    >>> [group.tolist() for group in contrast.groups], contrast.axis
    ([[0], [1, 2]], array([0.25, 0.  ]))
    """

    name: str
    groups: tuple[NDArray[np.int64], NDArray[np.int64]]
    axis: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ContrastRetention:
    """Share of each contrast that codes keep.

    Parameters
    ----------
    value
        Share of each contrast that neighbourhoods in the codes still show, shape ``(n_contrasts,)``: 1 for two groups
        with neighbourhoods of their own, 0 for two that are mixed. NaN where a group has too few cells.
    shown
        For each contrast the projections of the neighbourhoods of the judged cells of both groups; ``value`` is the
        difference of their means. Empty where a group has too few cells.
    n_independent
        For each contrast the effective number of independent neighbourhoods in each group. Neighbourhoods overlap, so
        that a group of :math:`n` cells has :math:`n / k` of them, but not more than it has judged cells.

    Examples
    --------
    >>> import numpy as np
    >>> expression = np.random.default_rng(0).normal(size=(100, 2)) + 9.0 * np.repeat([0, 1], 50)[:, None]
    >>> contrast = contrast_of_gene("XIST", expression[:, 0], column=0, n_columns=2)
    >>> kept = contrast_retention(expression, expression, [contrast])
    >>> kept.value.round(1), [len(side) for side in kept.shown[0]], [round(n, 1) for n in kept.n_independent[0]]
    (array([1.]), [50, 50], [3.3, 3.3])
    """

    value: NDArray[np.float64]
    shown: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
    n_independent: list[tuple[float, float]]


def contrasts_within_batches(
    expression: ArrayLike,
    batch: ArrayLike,
    *,
    group_size: int = 60,
    max_groups: int = 64,
    n_nearest: int = 5,
    min_cells: int = 15,
    seed: int = 0,
) -> list[Contrast]:
    """Find differences between groups of cells of the same batch, which no batch effect can explain.

    The cells of each batch are split in two by K-means, and each half again, until groups are small. Each group is
    contrasted with the groups nearest to it, because over-correction merges these first. Two halves of one population
    are a contrast that no codes keep; it does no harm.

    Parameters
    ----------
    expression
        Reference representation, shape ``(n_cells, n_components)``, usually principal components of log-normalised
        expression.
    batch
        Batch of each cell, shape ``(n_cells,)``.
    group_size
        Groups of up to this size are not split further; in a small batch, groups of up to a quarter of its cells.
    max_groups
        Batches of more than ``max_groups * group_size`` cells have groups of up to ``n_cells / max_groups``.
    n_nearest
        Number of nearest groups (by their means) that each group is contrasted with.
    min_cells
        Smaller groups are left out.
    seed
        Seed of K-means.

    Returns
    -------
    list of Contrast
        Empty where no batch has two groups.

    Raises
    ------
    ValueError
        If values are not finite, lengths differ, or batches are missing.

    Examples
    --------
    Two batches with the same two types, far apart. The shift of the whole second batch is no contrast:

    >>> import numpy as np
    >>> batch, types = np.repeat(["a", "b"], 100), np.tile(np.repeat([0.0, 9.0], 50), 2)
    >>> expression = np.column_stack([types, 5.0 * (batch == "b")]) + np.random.default_rng(0).normal(size=(200, 2))
    >>> for contrast in contrasts_within_batches(expression, batch, min_cells=25):
    ...     print(contrast.name, [len(group) for group in contrast.groups], np.abs(9 * contrast.axis).round(1))
    a [50, 50] [1. 0.]
    b [50, 50] [1. 0.]
    """
    x = check_matrix(expression, "expression")
    text = check_labels(batch, "batch", n_cells=len(x))
    size = check_count(group_size, "group_size", minimum=2)
    least = check_count(min_cells, "min_cells", minimum=2)
    nearest = check_count(n_nearest, "n_nearest", minimum=1)
    limit = check_count(max_groups, "max_groups", minimum=2)
    contrasts: list[Contrast] = []
    with threadpool_limits(limits=1):
        for name in np.unique(text):
            cells = np.flatnonzero(text == name)
            largest = max(min(size, max(2 * least, len(cells) // 4)), len(cells) // limit)
            groups = [group for group in _split_by_kmeans(x, cells, largest, seed) if len(group) >= least]
            if len(groups) < 2:
                continue
            means = np.array([x[group].mean(axis=0) for group in groups])
            distance = cdist(means, means)
            np.fill_diagonal(distance, np.inf)
            neighbors = np.argsort(distance, axis=1, kind="stable")[:, : min(nearest, len(groups) - 1)]
            for i, j in sorted({(min(i, j), max(i, j)) for i, row in enumerate(neighbors) for j in row.tolist()}):
                axis = means[j] - means[i]
                if (length := float(axis @ axis)) > 0:
                    contrasts.append(Contrast(str(name), (groups[i], groups[j]), axis / length))
    return contrasts


def _split_by_kmeans(
    x: NDArray[np.float64], cells: NDArray[np.int64], largest: int, seed: int
) -> list[NDArray[np.int64]]:
    """Split cells in two by K-means, again and again, until no group is larger than ``largest``."""
    waiting, groups = [cells], []
    while waiting:
        group = waiting.pop(0)
        if len(group) <= largest or len(np.unique(x[group], axis=0)) < 2:
            groups.append(group)
            continue
        half = KMeans(2, n_init=5, random_state=seed).fit_predict(x[group])
        waiting += [group[half == 0], group[half == 1]]
    return groups


def contrast_of_gene(name: str, values: ArrayLike, column: int, n_columns: int) -> Contrast:
    """Contrast between the cells that express a gene above and below half-way between its extremes.

    For positive controls, whose pattern a correction must not erase: XIST and Y-linked genes where donors are batches.

    Parameters
    ----------
    name
        Name of the gene.
    values
        Its log-normalised expression, shape ``(n_cells,)``.
    column, n_columns
        Where the gene is among the columns of the representation that :func:`contrast_retention` is given.

    Raises
    ------
    ValueError
        If values are not finite, or the same in all cells.

    Examples
    --------
    >>> import numpy as np
    >>> contrast = contrast_of_gene("XIST", np.array([0.0, 0.1, 2.1, 2.0]), column=1, n_columns=2)
    >>> [group.tolist() for group in contrast.groups], contrast.axis
    ([[0, 1], [2, 3]], array([0. , 0.5]))
    """
    expression = check_matrix(np.asarray(values)[:, None], name)[:, 0]
    high = expression > (expression.min() + expression.max()) / 2
    if not high.any():
        raise ValueError(f"{name!r} is the same in all cells; a positive control must vary.")
    axis = np.zeros(n_columns)
    axis[column] = 1 / (expression[high].mean() - expression[~high].mean())
    return Contrast(name, (np.flatnonzero(~high), np.flatnonzero(high)), axis)


def contrast_retention(
    codes: ArrayLike,
    expression: ArrayLike,
    contrasts: Sequence[Contrast],
    *,
    cells: ArrayLike | None = None,
    n_neighbors: int = 15,
    min_cells: int = 5,
) -> ContrastRetention:
    r"""Share of each contrast between groups of cells that their neighbourhoods in the codes still show.

    Neighbours of all batches count. If a correction merges a type of one batch with another type of another batch, the
    contrast between the two is lost although nothing has changed within the first batch, so that
    :func:`neighborhood_retention` does not detect it.

    Parameters
    ----------
    codes
        Codes of all cells, shape ``(n_cells, n_latent)``.
    expression
        The representation that the contrasts were found in, shape ``(n_cells, n_components)``.
    contrasts
        Of :func:`contrasts_within_batches` and :func:`contrast_of_gene`.
    cells
        Rows that are judged, for example test cells; by default all. Their neighbours are searched among all cells.
    n_neighbors
        Neighbours :math:`k` of each cell.
    min_cells
        Judged cells that each group of a contrast must have; others are NaN.

    Returns
    -------
    ContrastRetention

    Raises
    ------
    ValueError
        If values are not finite, lengths differ, or there are no more cells than neighbours.

    Notes
    -----
    With :math:`\bar x_{N_i}` the mean expression of the :math:`k` nearest cells of cell :math:`i` in the codes, itself
    excluded, and :math:`a` the axis of a contrast of groups :math:`A` and :math:`B`

    .. math:: \operatorname{mean}_{i \in B} a^\top \bar x_{N_i} - \operatorname{mean}_{i \in A} a^\top \bar x_{N_i} .

    A shift of a whole batch cancels in the difference if both groups have equally many neighbours from that batch.

    Examples
    --------
    >>> import numpy as np
    >>> batch, groups = np.repeat(["a", "b"], 100), np.tile(np.repeat([0.0, 9.0], 50), 2)
    >>> expression = groups[:, None] + np.random.default_rng(0).normal(size=(200, 2))
    >>> contrasts = contrasts_within_batches(expression, batch, min_cells=25)
    >>> contrast_retention(expression, expression, contrasts).value.round(1)
    array([1., 1.])
    >>> merged = expression - groups[:, None]
    >>> bool((contrast_retention(merged, expression, contrasts).value < 0.1).all())
    True
    """
    x = check_matrix(expression, "expression")
    z = check_matrix(codes, "codes")
    if len(z) != len(x):
        raise ValueError(f"`expression` has {len(x)} rows but `codes` has {len(z)}; give the same cells.")
    k = check_count(n_neighbors, "n_neighbors", minimum=1)
    judged = np.ones(len(z), dtype=bool)
    if cells is not None:
        judged[:] = False
        judged[np.asarray(cells)] = True
    rows = np.flatnonzero(judged)
    around = np.full(x.shape, np.nan)
    neighbors = nearest_others(z, rows, k)
    # In blocks: the expression of the neighbours of all cells takes k times the memory of the expression.
    for begin in range(0, len(rows), _BLOCK):
        piece = slice(begin, begin + _BLOCK)
        around[rows[piece]] = x[neighbors[piece]].mean(axis=1)

    value = np.full(len(contrasts), np.nan)
    shown, n_independent = [], []
    for index, contrast in enumerate(contrasts):
        first, second = (around[group[judged[group]]] @ contrast.axis for group in contrast.groups)
        if min(len(first), len(second)) < min_cells:
            first, second = first[:0], second[:0]
        else:
            value[index] = second.mean() - first.mean()
        shown.append((first, second))
        sizes = zip((first, second), contrast.groups, strict=True)
        one, other = (min(float(len(seen)), max(len(group) / k, _MIN_INDEPENDENT)) for seen, group in sizes)
        n_independent.append((one, other))
    return ContrastRetention(value, shown, n_independent)
