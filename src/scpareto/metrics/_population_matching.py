"""Matching of the clusters of one batch with the clusters of another."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_ROUNDS = 20
# A leftover cluster joins a population only if it is much more similar to it than a match has to be.
_MIN_ADOPTION_SIMILARITY = 0.8


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
    Per batch the population of each of its clusters, -1 for none; and per population the lowest similarity of its
    matches.
    """
    nodes = [(batch, row) for batch, profiles in enumerate(centroids) for row in range(len(profiles))]
    edges: list[tuple[float, tuple[int, int], tuple[int, int]]] = []
    similarity: dict[tuple[int, int], NDArray[np.float64]] = {}
    for a, b in combinations(range(len(centroids)), 2):
        alike, pairs = _find_reciprocal_pairs(centroids[a], centroids[b], min_similarity)
        similarity[a, b], similarity[b, a] = alike, alike.T
        edges += [(float(alike[i, j]), (a, int(i)), (b, int(j))) for i, j in pairs if alike[i, j] >= min_similarity]

    group = {node: {node} for node in nodes}
    weakest = dict.fromkeys(nodes, 1.0)
    # Strongest first. A match that would join two clusters of one batch contradicts stronger ones.
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

    _assign_leftover_clusters(nodes, members, centroids, similarity)

    labels = [np.full(len(profiles), -1) for profiles in centroids]
    for population, joined in enumerate(members):
        for batch, row in joined:
            labels[batch][row] = population
    return labels, strengths


def _find_reciprocal_pairs(
    one: NDArray[np.float64], other: NDArray[np.float64], min_similarity: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the similarities of the clusters of two batches, and the pairs that are each other's most similar.

    Profiles are deviations from the mean of the matched clusters, which is updated in rounds. A shift of the whole
    batch thus cancels, and a type that only one batch has does not move the origin.
    """
    matched = np.arange(len(one)), np.arange(len(other))
    alike, pairs = np.zeros((len(one), len(other))), np.empty((0, 2), dtype=np.int64)
    for _ in range(_MAX_ROUNDS):
        alike = _concordance(one - one[matched[0]].mean(axis=0), other - other[matched[1]].mean(axis=0))
        best = alike.argmax(axis=1)
        mutual = alike.argmax(axis=0)[best] == np.arange(len(one))
        new_pairs = np.column_stack([np.flatnonzero(mutual), best[mutual]])
        if np.array_equal(new_pairs, pairs):
            break
        pairs = new_pairs
        good = pairs[alike[pairs[:, 0], pairs[:, 1]] >= min_similarity]
        # The mean of a single pair would leave that pair without a direction.
        if len(good) > 1:
            matched = good[:, 0], good[:, 1]
    return alike, pairs


def _concordance(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the concordance: a cosine that is lower where lengths differ, as for a type half-way to another."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)
    return np.divide(2 * one @ other.T, squares, out=np.zeros_like(squares), where=squares > 1e-24)


def _assign_leftover_clusters(
    nodes: list[tuple[int, int]],
    members: list[set[tuple[int, int]]],
    centroids: list[NDArray[np.float64]],
    similarity: dict[tuple[int, int], NDArray[np.float64]],
) -> None:
    """Assign each leftover cluster to the population that it belongs to, if there is one.

    Clustering may split a large type in one batch and not in another. The second half is then similar to the population
    in other batches, and its nearest cluster in the same batch is the first half.
    """
    assigned = {node for joined in members for node in joined}
    fixed = [set(joined) for joined in members]
    for batch, row in (node for node in nodes if node not in assigned):
        likeness = [
            np.mean([similarity[batch, b][row, r] for b, r in joined if b != batch] or [-1.0]) for joined in fixed
        ]
        if not likeness or max(likeness) < _MIN_ADOPTION_SIMILARITY:
            continue
        best = int(np.argmax(likeness))
        rows_of_batch = {r for b, r in fixed[best] if b == batch}
        distance = np.linalg.norm(centroids[batch] - centroids[batch][row], axis=1)
        distance[row] = np.inf
        if not rows_of_batch or int(distance.argmin()) in rows_of_batch:
            members[best].add((batch, row))
