"""Small groups of cells within each batch, and which of them lie side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

from scpareto.metrics._log_components import group_means, membership
from scpareto.metrics._neighbors import nearest_others

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIN_LINK_SHARE = 0.1
"""Groups are connected if the smaller one has at least this share of the neighbours in the other that chance gives."""
_N_NEAREST_SETS = 3
"""Number of nearest sets that each set of connected groups is compared with."""
_N_SMOOTHING_NEIGHBORS = 10
"""Neighbours over which cells are averaged before grouping: fewer than most rare types have cells."""
_MAX_CROSSING_SHARE = 0.5
"""A small group is split if its halves have less than this share of the neighbours in each other that chance gives."""


@dataclass(frozen=True, eq=False)
class BatchGroups:
    """Groups of cells within batches.

    Attributes
    ----------
    of_cell
        Group of each cell, -1 where it is in none.
    batch
        Batch of each group.
    number
        Number of each group within its batch, from 1.
    size
        Cells of each group.
    pairs
        Pairs of groups of one batch that are near each other, shape ``(n_pairs, 2)``.
    connected_set
        Number of the set of connected groups that each group belongs to; groups of different batches never share one.
    means
        Mean scores of each group.
    """

    of_cell: NDArray[np.int64]
    batch: NDArray[np.int64]
    number: NDArray[np.int64]
    size: NDArray[np.int64]
    pairs: NDArray[np.int64]
    connected_set: NDArray[np.int64]
    means: NDArray[np.float64]


def find_groups(
    scores: NDArray[np.float64],
    batch: NDArray[np.int64],
    near: sparse.csr_matrix,
    *,
    group_size: int,
    max_groups: int,
    min_cells: int,
    n_nearest: int,
    seed: int,
) -> BatchGroups:
    """Split the cells of each batch in two by K-means, and each half again, until groups are small and homogeneous.

    Each cell is first averaged with its nearest cells of the same batch, which keeps rare types together. A small group
    is split further if few cells of its halves are neighbours of each other. In six real datasets (60 types of 15 to 30
    cells in a batch) the purest group of a type had a purity below .7 for 87 % of the types when groups were split by
    size alone, and for 32 % with this rule.

    Parameters
    ----------
    scores
        Scores of the cells, shape ``(n_cells, n_components)``.
    batch
        Batch of each cell, numbers from 0.
    near
        Weights of the neighbours of each cell in ``scores``; they decide which groups are connected.
    group_size, max_groups
        Groups above this size are always split: ``group_size`` cells, or a quarter of the cells of a small batch, or
        ``n / max_groups`` of a large one.
    min_cells
        Smaller groups are left out.
    n_nearest
        Number of nearest groups (by their means) that each group is paired with.
    seed
        Seed of K-means.
    """
    of_cell = np.full(len(batch), -1)
    of_batch: list[int] = []
    numbers: list[int] = []
    pairs: list[tuple[int, int]] = []
    for b in np.unique(batch):
        cells = np.flatnonzero(batch == b)
        largest = max(min(group_size, max(2 * min_cells, len(cells) // 4)), len(cells) // max_groups)
        smooth, links = _smooth(scores[cells])
        groups = [cells[g] for g in _split_by_kmeans(smooth, links, largest, min_cells, seed) if len(g) >= min_cells]
        if len(groups) < 2:
            continue
        first = len(of_batch)
        for number, group in enumerate(groups):
            of_cell[group] = first + number
        of_batch += [int(b)] * len(groups)
        numbers += range(1, len(groups) + 1)
        means = np.array([scores[group].mean(axis=0) for group in groups])
        distance = cdist(means, means)
        np.fill_diagonal(distance, np.inf)
        nearest = np.argsort(distance, axis=1, kind="stable")[:, : min(n_nearest, len(groups) - 1)]
        near_pairs = {(min(i, j), max(i, j)) for i, row in enumerate(nearest) for j in row.tolist()}
        pairs += [(first + i, first + j) for i, j in sorted(near_pairs)]
    size = np.bincount(of_cell[of_cell >= 0], minlength=len(of_batch))
    island = _find_connected_sets(of_cell, np.array(of_batch, dtype=np.int64), near)
    return BatchGroups(
        of_cell,
        np.array(of_batch, dtype=np.int64),
        np.array(numbers, dtype=np.int64),
        size,
        np.array(pairs, dtype=np.int64).reshape(-1, 2),
        island,
        group_means(scores, of_cell, len(size)),
    )


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Comparisons within batches: two groups, a group and the rest of its batch, connected groups and the rest.

    Attributes
    ----------
    sides
        Weights of the groups in each contrast, shape ``(n_contrasts, n_groups)``. Groups of the second side add up to
        1, groups of the first side to -1.
    first, second
        Names of the two sides.
    batch
        Batch of each contrast.
    is_type
        Whether the two sides are not connected by cells of the batch.
    """

    sides: NDArray[np.float64]
    first: list[str]
    second: list[str]
    batch: NDArray[np.int64]
    is_type: NDArray[np.bool_]

    def differences(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean of the second side minus that of the first, from the means of the groups."""
        return self.sides @ means

    def sizes(self, size: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of cells of each side."""
        return (self.sides < 0) @ size, (self.sides > 0) @ size


def build_contrasts(groups: BatchGroups) -> Contrasts:
    """Return the contrasts between groups of one batch.

    Pairs alone would miss a group that is merged into a group that it was not paired with. The contrast with the rest
    of the batch detects this, unless the group is merged into the mean of the rest. The branches of Ward's tree add
    types that consist of several groups, each too small to be tested alone.
    """
    n_groups = len(groups.size)
    sides: list[tuple[list[int], list[int], str, str, bool]] = []

    def add(first: list[int], second: list[int]) -> None:
        is_type = not set(groups.connected_set[first].tolist()) & set(groups.connected_set[second].tolist())
        sides.append((first, second, _group_label(groups, first), _group_label(groups, second), is_type))

    for i, j in groups.pairs.tolist():
        add([i], [j])
    for batch in np.unique(groups.batch):
        members_of_batch = np.flatnonzero(groups.batch == batch).tolist()
        sets = [
            [g for g in members_of_batch if groups.connected_set[g] == number]
            for number in np.unique(groups.connected_set[members_of_batch])
        ]
        for members in sets:
            others = [g for g in members_of_batch if g not in members]
            if len(members_of_batch) > 2 and others:
                sides.append((members, others, _group_label(groups, members), "rest", True))
            if len(members) > 2:
                for g in members:
                    near = [h for h in members if h != g]
                    sides.append(([g], near, _group_label(groups, [g]), "groups connected with it", False))
        centres = np.array([groups.size[m] @ groups.means[m] / groups.size[m].sum() for m in sets])
        nearest = np.argsort(cdist(centres, centres), axis=1, kind="stable")[:, 1 : 1 + _N_NEAREST_SETS]
        for i, j in sorted({(min(i, j), max(i, j)) for i, row in enumerate(nearest.tolist()) for j in row}):
            if len(sets[i]) + len(sets[j]) > 2:
                add(sets[i], sets[j])
        listed = {frozenset((frozenset(first), frozenset(second))) for first, second, *_ in sides}
        for first, second in _ward_branches(groups, members_of_batch):
            if frozenset((frozenset(first), frozenset(second))) not in listed:
                add(first, second)
    weights = np.zeros((len(sides), n_groups))
    for row, (first, second, *_) in enumerate(sides):
        weights[row, first] = -groups.size[first] / groups.size[first].sum()
        weights[row, second] = groups.size[second] / groups.size[second].sum()
    return Contrasts(
        weights,
        [side[2] for side in sides],
        [side[3] for side in sides],
        np.array([groups.batch[side[0][0]] for side in sides], dtype=np.int64),
        np.array([side[4] for side in sides], dtype=bool),
    )


def _ward_branches(groups: BatchGroups, groups_of_batch: list[int]) -> list[tuple[list[int], list[int]]]:
    """Return the two sides of each merge of Ward's method on the group means of one batch."""
    members, joined = [[g] for g in groups_of_batch], []
    for one, other in linkage(groups.means[groups_of_batch], "ward")[:, :2].astype(int).tolist():
        joined.append((members[one], members[other]))
        members.append(sorted(members[one] + members[other]))
    return joined


def _group_label(groups: BatchGroups, members: list[int]) -> str:
    numbers = ", ".join(str(groups.number[g]) for g in members)
    return f"group{'s' if len(members) > 1 else ''} {numbers}"


def _smooth(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], sparse.csr_matrix]:
    """Return cells averaged with their neighbours, and the neighbours of each cell after averaging."""
    n = len(scores)
    k = min(_N_SMOOTHING_NEIGHBORS, n - 1)
    smooth = (scores + scores[nearest_others(scores, np.arange(n), k)].sum(axis=1)) / (k + 1)
    near = nearest_others(smooth, np.arange(n), k)
    links = sparse.csr_matrix((np.ones(near.size), (np.repeat(np.arange(n), k), near.ravel())), shape=(n, n))
    return smooth, links


def _split_by_kmeans(
    x: NDArray[np.float64], links: sparse.csr_matrix, largest: int, min_cells: int, seed: int
) -> list[NDArray[np.int64]]:
    waiting, groups = [np.arange(len(x))], []
    while waiting:
        group = waiting.pop(0)
        is_small = len(group) <= largest
        if len(group) < (2 * min_cells if is_small else 2) or len(np.unique(x[group], axis=0)) < 2:
            groups.append(group)
            continue
        half = KMeans(2, n_init=3, random_state=seed).fit_predict(x[group])
        halves = sorted((group[half == 0], group[half == 1]), key=len)
        if is_small and (len(halves[0]) < min_cells or _crossing_share(links, *halves) >= _MAX_CROSSING_SHARE):
            groups.append(group)
        else:
            waiting += halves
    return groups


def _crossing_share(links: sparse.csr_matrix, smaller: NDArray[np.int64], larger: NDArray[np.int64]) -> float:
    """Return the share of neighbours of the smaller group that lie in the larger one, relative to chance (1)."""
    of_smaller = links[smaller]
    inside, across = of_smaller[:, smaller].sum(), of_smaller[:, larger].sum()
    by_chance = len(larger) / (len(smaller) + len(larger) - 1)
    return float(across / max(inside + across, 1) / by_chance)


def _find_connected_sets(
    of_cell: NDArray[np.int64], batch: NDArray[np.int64], near: sparse.csr_matrix
) -> NDArray[np.int64]:
    """Return the number of the set of connected groups that each group belongs to.

    The two sets with the most neighbours in each other are joined, until no two sets have enough of them. A chain of a
    few cells from group to group does not connect all of them. In six real datasets this rule separates 96 % of the
    pairs of groups with different labels and 28 % of those with one label. Single linkage (chains) separates 76 and
    16 %, or with a stricter threshold 89 and 27 %.
    """
    connected_set = np.arange(len(batch))
    if not len(batch):
        return connected_set
    member = membership(of_cell, len(batch))
    ones = sparse.csr_matrix((np.ones(near.nnz), near.indices, near.indptr), shape=near.shape)
    links = np.asarray((member @ ones @ member.T).todense(), dtype=np.float64)
    size = np.bincount(of_cell[of_cell >= 0], minlength=len(batch)).astype(np.float64)
    for b in np.unique(batch):
        open_sets = np.flatnonzero(batch == b)
        while len(open_sets) > 1:
            between, n = links[np.ix_(open_sets, open_sets)], size[open_sets]
            by_chance = n / (n[:, None] + n - 1)
            crossed = between / np.maximum(np.diag(between)[:, None] + between, 1e-12) / by_chance
            crossed[(n[:, None] > n) | np.eye(len(n), dtype=bool)] = 0.0
            one, other = np.unravel_index(int(crossed.argmax()), crossed.shape)
            if crossed[one, other] < _MIN_LINK_SHARE:
                break
            kept, removed = open_sets[one], open_sets[other]
            links[kept] += links[removed]
            links[:, kept] += links[:, removed]
            size[kept] += size[removed]
            connected_set[connected_set == removed] = kept
            open_sets = np.delete(open_sets, other)
    return connected_set
