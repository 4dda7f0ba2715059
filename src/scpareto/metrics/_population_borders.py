"""Borders between populations that are the same in all batches.

Clustering each batch separately places the borders at random. Even without any batch effect, the cells of a population
would then differ between batches, and codes would hold information about the batch given the population.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 5
# Another batch occupies a region if its density there is at least a tenth.
_MIN_DENSITY, _MIN_CELLS_INSIDE = 0.1, 5
_RADIUS_QUANTILE = 0.9


@dataclass(frozen=True, eq=False)
class _Centers:
    """Centres of the populations in each batch, ``(n_batches, n_populations, n_columns)``, and which are present."""

    values: NDArray[np.float64]
    present: NDArray[np.bool_]


def common_borders(
    x: NDArray[np.float64], level: NDArray[np.int64], clusters: NDArray[np.int64], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Reassign cells to matched populations, with borders that do not depend on the batch.

    Parameters
    ----------
    x
        Values that were clustered, shape ``(n_cells, n_columns)``.
    level
        Batch of each cell, shape ``(n_cells,)``.
    clusters
        Cluster of each cell within its batch.
    labels
        Population of each cell by the match of its cluster, -1 for none.

    Returns
    -------
    Population of each cell, -1 for cells of a cluster that no other batch has.
    """
    n_batches, n_populations = int(level.max()) + 1, int(labels.max()) + 1
    if not n_populations:
        return labels
    centers = _estimate_centers(x, level, labels, n_batches, n_populations)
    unmatched_centers: list[NDArray[np.float64]] = []
    for b in range(n_batches):
        unmatched = np.unique(clusters[(level == b) & (labels < 0)])
        rows = [(level == b) & (clusters == k) for k in unmatched]
        distinct = [x[r].mean(axis=0) for r in rows if not _is_occupied_elsewhere(x, level, r, b, centers)]
        unmatched_centers.append(np.array(distinct).reshape(-1, x.shape[1]))
    for _ in range(_ROUNDS):
        before, labels = labels, _assign(x, level, centers, unmatched_centers)
        if np.array_equal(before, labels):
            break
        centers = _estimate_centers(x, level, labels, n_batches, n_populations)
    return labels


def _estimate_centers(
    x: NDArray[np.float64], level: NDArray[np.int64], labels: NDArray[np.int64], n_batches: int, n_populations: int
) -> _Centers:
    """Add up the common centre, the batch effect, and the shrunken deviation of each population in each batch.

    The deviation has the weight d / (d + v), with d its squared length and v the variance within clusters. Deviations
    due to random cluster borders stay below v; a true batch effect on one population does not.
    """
    shape = n_batches, n_populations, x.shape[1]
    count = np.zeros(shape[:2])
    total = np.zeros(shape)
    kept = labels >= 0
    np.add.at(count, (level[kept], labels[kept]), 1)
    np.add.at(total, (level[kept], labels[kept]), x[kept])
    present = count > 0
    mean = total / np.maximum(count, 1)[..., None]
    within = ((x[kept] - mean[level[kept], labels[kept]]) ** 2).sum(axis=1).mean()
    # Populations x batches with gaps: rows and columns in turn.
    origin, common = np.zeros((n_batches, 1, shape[2])), np.zeros((1, n_populations, shape[2]))
    weight = present[..., None].astype(np.float64)
    for _ in range(20):
        common = ((mean - origin) * weight).sum(axis=0, keepdims=True) / weight.sum(axis=0, keepdims=True).clip(1)
        origin = ((mean - common) * weight).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True).clip(1)
    peculiar = np.where(present[..., None], mean - origin - common, 0.0)
    size = (peculiar**2).sum(axis=2, keepdims=True)
    return _Centers(origin + common + peculiar * size / (size + within + 1e-300), present)


def _is_occupied_elsewhere(
    x: NDArray[np.float64], level: NDArray[np.int64], rows: NDArray[np.bool_], b: int, centers: _Centers
) -> bool:
    """Whether another batch has cells where a cluster without a match is.

    Such a cluster belongs to a shared population that was split differently. Positions are moved to another batch by
    the shift of the nearest population that both have.
    """
    if not centers.present[b].any():
        return False
    middle = x[rows].mean(axis=0)
    radius = np.quantile(np.linalg.norm(x[rows] - middle, axis=1), _RADIUS_QUANTILE)
    density = (np.linalg.norm(x[level == b] - middle, axis=1) <= radius).mean()
    for other in np.unique(level[level != b]):
        both = np.flatnonzero(centers.present[b] & centers.present[other])
        if not len(both):
            continue
        near = both[np.linalg.norm(centers.values[b, both] - middle, axis=1).argmin()]
        shifted = middle + centers.values[other, near] - centers.values[b, near]
        inside = np.linalg.norm(x[level == other] - shifted, axis=1) <= radius
        if inside.sum() >= _MIN_CELLS_INSIDE and inside.mean() >= _MIN_DENSITY * density:
            return True
    return False


def _assign(
    x: NDArray[np.float64], level: NDArray[np.int64], centers: _Centers, unmatched_centers: list[NDArray[np.float64]]
) -> NDArray[np.int64]:
    labels = np.full(len(x), -1)
    n_populations = centers.values.shape[1]
    for b, others in enumerate(unmatched_centers):
        if not centers.present[b].any():
            continue
        cells = np.flatnonzero(level == b)
        nearest = cdist(x[cells], np.concatenate([centers.values[b], others])).argmin(axis=1)
        labels[cells] = np.where(nearest < n_populations, nearest, -1)
    return labels
