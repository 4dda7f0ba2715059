"""Batches merged along a tree, each cell moved by the anchors around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from scpareto.bench._cells import components_of
from scpareto.bench._methods._neighbors import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from scpareto.bench._methods._seurat._anchors import Anchors


def merge_order(sizes: list[int], n_anchors: Mapping[tuple[int, int], int]) -> list[tuple[list[int], list[int]]]:
    """Find which groups of batches are merged, one after the other.

    Complete linkage of the batches, whose distance is the size of the smaller one divided by the number of anchors.

    Parameters
    ----------
    sizes
        Cells of each batch.
    n_anchors
        Anchors of each pair of batches ``(a, b)``, ``a < b``.

    Returns
    -------
    Pairs of groups: the reference, which has more cells, and the query.
    """
    distances = np.zeros((len(sizes), len(sizes)))
    for (a, b), number in n_anchors.items():
        # Without any anchor: farther than any two batches with one.
        distances[a, b] = distances[b, a] = min(sizes[a], sizes[b]) / max(number, 0.5)
    groups: dict[int, list[int]] = {i: [i] for i in range(len(sizes))}
    merges = []
    for step, (left, right, *_) in enumerate(linkage(squareform(distances), "complete")):
        pair = [groups.pop(int(left)), groups.pop(int(right))]
        pair.sort(key=lambda group: -sum(sizes[i] for i in group))
        merges.append((pair[0], pair[1]))
        groups[len(sizes) + step] = sorted(pair[0] + pair[1])
    return merges


def anchor_weights(
    cells: NDArray,
    anchor_cells: NDArray[np.int64],
    scores: NDArray[np.float64],
    *,
    k_weight: int = 100,
    sd: float = 1.0,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    r"""Anchors by which each cell is moved, and their weights.

    With :math:`k` anchors, walked through from the nearest anchored cell :math:`i` on, and :math:`D` the distance of a
    cell to the anchored cell relative to the farthest of the :math:`k`,

    .. math::
        w_{ct} \propto 1 - \exp\left( -\frac{(1 - D_{ci_t}) S_t}{(2 / \mathrm{sd})^2} \right) .

    Parameters
    ----------
    cells
        Positions of the cells, shape ``(n_cells, d)``.
    anchor_cells
        Row of the cell of each anchor, shape ``(n_anchors,)``.
    scores
        Scores of the anchors in [0, 1].
    k_weight
        Anchors of a cell; fewer where there are fewer.
    sd
        Width of the kernel.

    Returns
    -------
    Anchors ``(n_cells, k)`` and weights ``(n_cells, k)``; weights of a cell sum to 1.
    """
    k = min(k_weight, len(anchor_cells))
    anchored, place = np.unique(anchor_cells, return_inverse=True)
    of_cell = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    near, distances = nearest(cells, cells[anchored], min(k_weight, len(anchored)))
    farthest = distances[:, -1:]
    closeness = 1 - distances / np.where(farthest > 0, farthest, 1.0)
    chosen = np.zeros((len(cells), k), dtype=np.int64)
    weights = np.zeros((len(cells), k))
    for c in range(len(cells)):
        own = np.concatenate([of_cell[i] for i in near[c]])[:k]
        close = np.repeat(closeness[c], [len(of_cell[i]) for i in near[c]])[:k]
        weight = 1 - np.exp(-close * scores[own] / (2 / sd) ** 2)
        chosen[c, : len(own)] = own
        # All anchors at the same distance, or with score 0: each counts the same.
        weights[c, : len(own)] = weight / weight.sum() if weight.sum() > 0 else 1 / len(own)
    return chosen, weights


class Merger:
    """Expression of the batches, corrected group by group.

    Parameters
    ----------
    expression
        Log-normalised expression of each batch, shape ``(n_cells, n_genes)``.
    anchors
        Anchors of each pair of batches.
    k_weight
        Anchors that a cell is moved by.
    n_components
        Principal components in which its anchors are sought.
    seed
        Seed of the components.
    """

    def __init__(
        self,
        expression: list[NDArray],
        anchors: Mapping[tuple[int, int], Anchors],
        *,
        k_weight: int,
        n_components: int,
        seed: int,
    ) -> None:
        self.expression = [part.copy() for part in expression]
        self._anchors = anchors
        self._k_weight = k_weight
        self._n_components = n_components
        self._seed = seed

    def merge(self, reference: list[int], query: list[int]) -> None:
        """Move the cells of the query towards the reference, which stays as it is.

        A query without anchors to the reference stays as it is too.
        """
        in_reference, in_query, scores = self._between(reference, query)
        if not len(scores):
            return
        fixed = np.concatenate([self.expression[i] for i in reference])
        moving = np.concatenate([self.expression[i] for i in query])
        components = components_of(np.concatenate([fixed, moving]), seed=self._seed, scale=True)
        positions = components[len(fixed) :, : self._n_components]
        chosen, weights = anchor_weights(positions, in_query, scores, k_weight=self._k_weight)
        vectors = moving[in_query] - fixed[in_reference]
        moved = np.stack([w @ vectors[c] for c, w in zip(chosen, weights, strict=True)])
        parts = np.split(moving - moved, np.cumsum([len(self.expression[i]) for i in query])[:-1])
        for i, part in zip(query, parts, strict=True):
            self.expression[i] = part

    def _between(
        self, reference: list[int], query: list[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Anchors between any batch of one group and any of the other, as rows of the joined groups."""
        start: dict[int, int] = {}
        for group in (reference, query):
            ends = np.cumsum([0, *(len(self.expression[i]) for i in group)])
            start |= dict(zip(group, ends, strict=False))
        found: tuple[list[NDArray], list[NDArray], list[NDArray]] = ([], [], [])
        for i in reference:
            for j in query:
                pair = self._anchors[min(i, j), max(i, j)]
                own, other = (pair.a, pair.b) if i < j else (pair.b, pair.a)
                for part, values in zip(found, (own + start[i], other + start[j], pair.score), strict=True):
                    part.append(values)
        return np.concatenate(found[0]), np.concatenate(found[1]), np.concatenate(found[2])
