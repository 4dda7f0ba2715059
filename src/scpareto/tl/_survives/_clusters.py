"""Cluster the cells at every point, and follow the clusters of the reference along the front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._runtime import keep_torch_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scpareto.tl._survives._points import FrontPoints

SAME_CLUSTER = 0.5
"""Two clusters with this Jaccard index or more count as the same; below, Hennig (2007) calls a cluster dissolved."""
_MAJORITY = 0.5


@keep_torch_threads()
def leiden(
    codes: NDArray[np.floating], *, resolution: float, n_neighbors: int, seeds: tuple[int, ...]
) -> list[NDArray[np.int64]]:
    """Cluster the nearest-neighbour graph of codes by scanpy's Leiden algorithm, once for each seed."""
    import scanpy as sc
    from anndata import AnnData

    cells = AnnData(obs=pd.DataFrame(index=np.arange(len(codes)).astype(str)), obsm={"X": np.asarray(codes)})
    sc.pp.neighbors(cells, n_neighbors=n_neighbors, use_rep="X", random_state=seeds[0])
    clusterings = []
    for seed in seeds:
        sc.tl.leiden(cells, resolution=resolution, random_state=seed, flavor="igraph", n_iterations=2, directed=False)
        clusterings.append(cells.obs["leiden"].astype(int).to_numpy())
    return clusterings


def cluster_points(
    points: FrontPoints, *, resolution: float, n_neighbors: int, seed: int, step: Callable[[], None]
) -> tuple[dict[int, NDArray[np.int64]], NDArray[np.int64]]:
    """Return clusters at every point, all with the same seed, and those of the reference with another seed."""
    clusters = {}
    for number, codes in points.codes.items():
        seeds = (seed, seed + 1) if number == points.reference else (seed,)
        clusters[number], *other = leiden(codes, resolution=resolution, n_neighbors=n_neighbors, seeds=seeds)
        if other:
            other_seed = other[0]
        step()
    return clusters, other_seed


def count_shared_cells(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the cells that each pair of clusters shares, shape ``(n_first, n_second)``."""
    shared = np.zeros((first.max() + 1, second.max() + 1), dtype=np.int64)
    np.add.at(shared, (first, second), 1)
    return shared


def compute_jaccard(shared: NDArray[np.int64]) -> NDArray[np.float64]:
    r"""Compute the Jaccard index of each pair of clusters, :math:`|a \cap b| / |a \cup b|`."""
    either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    return shared / np.maximum(either, 1)


def classify_fate(shared: NDArray[np.int64], cluster: int) -> str:
    """Return what becomes of a cluster at another point, from the cells that clusters share.

    Returns
    -------
    ``"same"``: one cluster has a Jaccard index of .5 or more with it. ``"split"``: most of its cells lie in clusters
    that consist mostly of its cells. ``"merged"``: most of its cells lie in one cluster, in which they are a minority.
    ``"gone"``: none of these.
    """
    if compute_jaccard(shared)[cluster].max() >= SAME_CLUSTER:
        return "same"
    shared_with = shared[cluster]
    inside = shared_with > _MAJORITY * shared.sum(axis=0)
    if shared_with[inside].sum() >= _MAJORITY * shared_with.sum():
        return "split"
    return "merged" if shared_with.max() >= _MAJORITY * shared_with.sum() else "gone"


def follow_clusters(
    points: FrontPoints, clusters: dict[int, NDArray[np.int64]], other_seed: NDArray[np.int64]
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Follow the clusters of the reference along the front.

    Returns
    -------
    One row per cluster and point with the largest Jaccard index ``jaccard``, ``fate`` and ``n_cells``, and one with
    point -1 for the same clustering by another seed; and for each cell the mean, over admissible points other than the
    reference, of the Jaccard index of its clusters there and at the reference, shape ``(n_cells,)``.
    """
    reference = clusters[points.reference]
    rows, stability, n_others = [], np.zeros(len(reference)), 0
    for number, labels in [*clusters.items(), (-1, other_seed)]:
        shared = count_shared_cells(reference, labels)
        index = compute_jaccard(shared)
        for cluster in range(shared.shape[0]):
            rows.append(
                {
                    "cluster": cluster,
                    "point": number,
                    "n_cells": int(shared[cluster].sum()),
                    "jaccard": float(index[cluster].max()),
                    "fate": classify_fate(shared, cluster),
                }
            )
        if number in points.admissible and number != points.reference:
            stability += index[reference, labels]
            n_others += 1
    return pd.DataFrame(rows), stability / n_others


def name_groups(
    reference: NDArray[np.int64], clusters: NDArray[np.int64], labels: NDArray[np.object_] | None
) -> NDArray[np.object_]:
    """Name the group of each cell at a point; None for cells of a cluster without a name.

    With labels, a cluster gets the label of most of its cells, as an analyst would name it. Without labels, it gets the
    number of the reference cluster that it is the same as.
    """
    names: list[str | None] = []
    if labels is None:
        index = compute_jaccard(count_shared_cells(reference, clusters))
        names = [str(column.argmax()) if column.max() >= SAME_CLUSTER else None for column in index.T]
    else:
        for cluster in range(clusters.max() + 1):
            label_counts = pd.Series(labels[clusters == cluster]).dropna().value_counts()
            names.append(None if label_counts.empty else str(label_counts.index[0]))
    return np.array(names, dtype=object)[clusters]
