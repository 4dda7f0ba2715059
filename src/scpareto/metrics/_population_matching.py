"""Which clusters of one batch are the counterparts of which clusters of another."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_ROUNDS = 20
# A cluster left over is a part of a population only if it resembles it far better than a match must.
_ADOPTION = 0.8


def match_clusters(
    centroids: list[NDArray[np.float64]], *, min_similarity: float
) -> tuple[list[NDArray[np.int64]], list[float]]:
    """Join clusters of several batches into populations.

    Parameters
    ----------
    centroids
        Per batch the mean profiles of its clusters, shape ``(n_clusters, n_columns)``.
    min_similarity
        Least similarity of two matched clusters.

    Returns
    -------
    Per batch the population of each of its clusters, -1 for none; and per population the least similarity of a match
    that it rests on.
    """
    nodes = [(batch, row) for batch, found in enumerate(centroids) for row in range(len(found))]
    edges: list[tuple[float, tuple[int, int], tuple[int, int]]] = []
    similarity: dict[tuple[int, int], NDArray[np.float64]] = {}
    for a, b in combinations(range(len(centroids)), 2):
        alike, pairs = _reciprocal(centroids[a], centroids[b], min_similarity)
        similarity[a, b], similarity[b, a] = alike, alike.T
        edges += [(float(alike[i, j]), (a, int(i)), (b, int(j))) for i, j in pairs if alike[i, j] >= min_similarity]

    group = {node: {node} for node in nodes}
    weakest = dict.fromkeys(nodes, 1.0)
    # Strongest first. A match that would bring two clusters of one batch together contradicts stronger ones.
    for strength, one, other in sorted(edges, key=lambda edge: (-edge[0], edge[1:])):
        first, second = group[one], group[other]
        if first is second or {batch for batch, _ in first} & {batch for batch, _ in second}:
            continue
        first |= second
        for node in first:
            group[node], weakest[node] = first, strength
    members: list[set[tuple[int, int]]] = []
    for node in nodes:
        if len(group[node]) > 1 and group[node] not in members:
            members.append(group[node])
    strengths = [min(weakest[node] for node in joined) for joined in members]

    _adopt(nodes, members, centroids, similarity)

    labels = [np.full(len(found), -1) for found in centroids]
    for population, joined in enumerate(members):
        for batch, row in joined:
            labels[batch][row] = population
    return labels, strengths


def _reciprocal(
    one: NDArray[np.float64], other: NDArray[np.float64], min_similarity: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Similarities of two batches' clusters, and the pairs that are each other's best.

    Profiles are deviations from the mean of the clusters that are matched, found in rounds: what a batch adds to all
    its cells cancels, and a type of its own does not move the origin.
    """
    matched = np.arange(len(one)), np.arange(len(other))
    alike, pairs = np.zeros((len(one), len(other))), np.empty((0, 2), dtype=np.int64)
    for _ in range(_MAX_ROUNDS):
        alike = _concordance(one - one[matched[0]].mean(axis=0), other - other[matched[1]].mean(axis=0))
        best = alike.argmax(axis=1)
        mutual = alike.argmax(axis=0)[best] == np.arange(len(one))
        found = np.column_stack([np.flatnonzero(mutual), best[mutual]])
        if np.array_equal(found, pairs):
            break
        pairs = found
        good = pairs[alike[pairs[:, 0], pairs[:, 1]] >= min_similarity]
        # The mean of a single pair would leave that pair without a direction.
        if len(good) > 1:
            matched = good[:, 0], good[:, 1]
    return alike, pairs


def _concordance(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine, lowered where lengths differ: a type half-way to another is not that other."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)
    return np.divide(2 * one @ other.T, squares, out=np.zeros_like(squares), where=squares > 1e-24)


def _adopt(
    nodes: list[tuple[int, int]],
    members: list[set[tuple[int, int]]],
    centroids: list[NDArray[np.float64]],
    similarity: dict[tuple[int, int], NDArray[np.float64]],
) -> None:
    """Give a cluster that is left over to the population of which it is a part.

    Clustering halves a large type in one batch and not in another. The second half resembles the population in the
    other batches, and its nearest cluster in its own batch is the first half.
    """
    taken = {node for joined in members for node in joined}
    fixed = [set(joined) for joined in members]
    for batch, row in (node for node in nodes if node not in taken):
        likeness = [
            np.mean([similarity[batch, b][row, r] for b, r in joined if b != batch] or [-1.0]) for joined in fixed
        ]
        if not likeness or max(likeness) < _ADOPTION:
            continue
        best = int(np.argmax(likeness))
        own = {r for b, r in fixed[best] if b == batch}
        distance = np.linalg.norm(centroids[batch] - centroids[batch][row], axis=1)
        distance[row] = np.inf
        if not own or int(distance.argmin()) in own:
            members[best].add((batch, row))
