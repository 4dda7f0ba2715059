"""Merge batches along a tree, and correct each cell by the anchors around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from scpareto.bench._cells import compute_components
from scpareto.bench._methods._neighbors import find_neighbors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from scpareto.bench._methods._seurat._anchors import Anchors


def find_merge_order(sizes: list[int], n_anchors: Mapping[tuple[int, int], int]) -> list[tuple[list[int], list[int]]]:
    """Find the order in which groups of batches are merged.

    Uses complete linkage; the distance of two batches is the size of the smaller one divided by the number of anchors.

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
        # A pair without anchors is more distant than any pair with an anchor.
        distances[a, b] = distances[b, a] = min(sizes[a], sizes[b]) / max(number, 0.5)
    groups: dict[int, list[int]] = {i: [i] for i in range(len(sizes))}
    merges = []
    for step, (left, right, *_) in enumerate(linkage(squareform(distances), "complete")):
        pair = [groups.pop(int(left)), groups.pop(int(right))]
        pair.sort(key=lambda group: -sum(sizes[i] for i in group))
        merges.append((pair[0], pair[1]))
        groups[len(sizes) + step] = sorted(pair[0] + pair[1])
    return merges


def compute_anchor_weights(
    cells: NDArray,
    anchor_cells: NDArray[np.int64],
    scores: NDArray[np.float64],
    *,
    k_weight: int = 100,
    sd: float = 1.0,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    r"""Return the anchors that correct each cell, and their weights.

    The :math:`k` anchors of a cell are those of the nearest anchored cells. With the distance :math:`D` of a cell to an
    anchored cell :math:`i`, relative to the farthest of the :math:`k`, and the score :math:`S` of an anchor,

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
        Number of anchors of a cell; fewer if there are fewer.
    sd
        Width of the kernel.

    Returns
    -------
    Anchors ``(n_cells, k)`` and weights ``(n_cells, k)``; weights of a cell sum to 1.
    """
    k = min(k_weight, len(anchor_cells))
    anchored, position = np.unique(anchor_cells, return_inverse=True)
    anchors_at = np.split(np.argsort(position, kind="stable"), np.cumsum(np.bincount(position))[:-1])
    neighbors, distances = find_neighbors(cells, cells[anchored], min(k_weight, len(anchored)))
    farthest = distances[:, -1:]
    closeness = 1 - distances / np.where(farthest > 0, farthest, 1.0)
    chosen = np.zeros((len(cells), k), dtype=np.int64)
    weights = np.zeros((len(cells), k))
    for c in range(len(cells)):
        anchors_of_cell = np.concatenate([anchors_at[i] for i in neighbors[c]])[:k]
        closeness_of_anchors = np.repeat(closeness[c], [len(anchors_at[i]) for i in neighbors[c]])[:k]
        weight = 1 - np.exp(-closeness_of_anchors * scores[anchors_of_cell] / (2 / sd) ** 2)
        chosen[c, : len(anchors_of_cell)] = anchors_of_cell
        # If all anchors have the same distance or score 0, they get equal weights.
        weights[c, : len(anchors_of_cell)] = weight / weight.sum() if weight.sum() > 0 else 1 / len(anchors_of_cell)
    return chosen, weights


class Merger:
    """Correct the expression of the batches, group by group.

    Parameters
    ----------
    expression
        Log-normalised expression of each batch, shape ``(n_cells, n_genes)``.
    anchors
        Anchors of each pair of batches.
    k_weight
        Number of anchors that correct a cell.
    n_components
        Number of principal components in which the nearest anchored cells are found.
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
        """Correct the cells of the query towards the reference, which does not change.

        A query without anchors to the reference does not change either.
        """
        reference_rows, query_rows, scores = self._find_anchors_between(reference, query)
        if not len(scores):
            return
        reference_expression = np.concatenate([self.expression[i] for i in reference])
        query_expression = np.concatenate([self.expression[i] for i in query])
        components = compute_components(
            np.concatenate([reference_expression, query_expression]), seed=self._seed, scale=True
        )
        positions = components[len(reference_expression) :, : self._n_components]
        chosen, weights = compute_anchor_weights(positions, query_rows, scores, k_weight=self._k_weight)
        vectors = query_expression[query_rows] - reference_expression[reference_rows]
        shifts = np.stack([w @ vectors[c] for c, w in zip(chosen, weights, strict=True)])
        parts = np.split(query_expression - shifts, np.cumsum([len(self.expression[i]) for i in query])[:-1])
        for i, part in zip(query, parts, strict=True):
            self.expression[i] = part

    def _find_anchors_between(
        self, reference: list[int], query: list[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Return the anchors between the batches of two groups, as rows of the concatenated groups."""
        start: dict[int, int] = {}
        for group in (reference, query):
            ends = np.cumsum([0, *(len(self.expression[i]) for i in group)])
            start |= dict(zip(group, ends, strict=False))
        collected: tuple[list[NDArray], list[NDArray], list[NDArray]] = ([], [], [])
        for i in reference:
            for j in query:
                pair = self._anchors[min(i, j), max(i, j)]
                reference_rows, query_rows = (pair.a, pair.b) if i < j else (pair.b, pair.a)
                for list_of_parts, values in zip(
                    collected, (reference_rows + start[i], query_rows + start[j], pair.score), strict=True
                ):
                    list_of_parts.append(values)
        return np.concatenate(collected[0]), np.concatenate(collected[1]), np.concatenate(collected[2])
