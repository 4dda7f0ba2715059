"""Clusters at every point, and what becomes of those of the reference along the front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._runtime import keep_torch_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scpareto.tl._survives._places import Places

SAME = 0.5
"""Jaccard index from which on two clusters are the same one; below, Hennig (2007) calls a cluster dissolved."""
_MOSTLY = 0.5


@keep_torch_threads()
def leiden(
    codes: NDArray[np.floating], *, resolution: float, n_neighbors: int, seeds: tuple[int, ...]
) -> list[NDArray[np.int64]]:
    """Leiden clusters of the nearest-neighbour graph of codes, as scanpy finds them, once for each seed."""
    import scanpy as sc
    from anndata import AnnData

    cells = AnnData(obs=pd.DataFrame(index=np.arange(len(codes)).astype(str)), obsm={"X": np.asarray(codes)})
    sc.pp.neighbors(cells, n_neighbors=n_neighbors, use_rep="X", random_state=seeds[0])
    found = []
    for seed in seeds:
        sc.tl.leiden(cells, resolution=resolution, random_state=seed, flavor="igraph", n_iterations=2, directed=False)
        found.append(cells.obs["leiden"].astype(int).to_numpy())
    return found


def clusters_of(
    places: Places, *, resolution: float, n_neighbors: int, seed: int, step: Callable[[], None]
) -> tuple[dict[int, NDArray[np.int64]], NDArray[np.int64]]:
    """Clusters at every point, all with the same seed, and those of the reference with another seed."""
    found = {}
    for number, codes in places.codes.items():
        seeds = (seed, seed + 1) if number == places.reference else (seed,)
        found[number], *other = leiden(codes, resolution=resolution, n_neighbors=n_neighbors, seeds=seeds)
        if other:
            again = other[0]
        step()
    return found, again


def overlaps(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cells that each pair of clusters shares, shape ``(n_first, n_second)``."""
    shared = np.zeros((first.max() + 1, second.max() + 1), dtype=np.int64)
    np.add.at(shared, (first, second), 1)
    return shared


def jaccard(shared: NDArray[np.int64]) -> NDArray[np.float64]:
    r"""Shared cells of each pair as a share of the cells of either, :math:`|a \cap b| / |a \cup b|`."""
    either = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    return shared / np.maximum(either, 1)


def fate(shared: NDArray[np.int64], cluster: int) -> str:
    """Return what a cluster is at another point, from the cells that clusters share.

    Returns
    -------
    ``"same"``: one cluster has a Jaccard index of .5 or more with it. ``"split"``: clusters that consist mostly of its
    cells hold most of them. ``"merged"``: one cluster holds most of its cells, among more others. ``"gone"``: neither.
    """
    if jaccard(shared)[cluster].max() >= SAME:
        return "same"
    own = shared[cluster]
    parts = own > _MOSTLY * shared.sum(axis=0)
    if own[parts].sum() >= _MOSTLY * own.sum():
        return "split"
    return "merged" if own.max() >= _MOSTLY * own.sum() else "gone"


def fates(
    places: Places, clusters: dict[int, NDArray[np.int64]], again: NDArray[np.int64]
) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Follow the clusters of the reference along the front.

    Returns
    -------
    One row per cluster and point with the largest Jaccard index ``jaccard``, ``fate`` and ``n_cells``, and one with
    point -1 for the same clustering by another seed; and for each cell the mean, over admissible points other than the
    reference, of the Jaccard index of its clusters there and at the reference, shape ``(n_cells,)``.
    """
    reference = clusters[places.reference]
    rows, stability, n_others = [], np.zeros(len(reference)), 0
    for number, found in [*clusters.items(), (-1, again)]:
        shared = overlaps(reference, found)
        index = jaccard(shared)
        for cluster in range(shared.shape[0]):
            rows.append(
                {
                    "cluster": cluster,
                    "point": number,
                    "n_cells": int(shared[cluster].sum()),
                    "jaccard": float(index[cluster].max()),
                    "fate": fate(shared, cluster),
                }
            )
        if number in places.admissible and number != places.reference:
            stability += index[reference, found]
            n_others += 1
    return pd.DataFrame(rows), stability / n_others


def groups_of(
    reference: NDArray[np.int64], found: NDArray[np.int64], labels: NDArray[np.object_] | None
) -> NDArray[np.object_]:
    """Names of the groups that cells are in at a point; None for cells of a cluster that has no name.

    With labels each cluster bears the label of most of its cells, as an analyst would name it; without, the number of
    the cluster of the reference that it is the same as.
    """
    names: list[str | None] = []
    if labels is None:
        index = jaccard(overlaps(reference, found))
        names = [str(own.argmax()) if own.max() >= SAME else None for own in index.T]
    else:
        for cluster in range(found.max() + 1):
            known = pd.Series(labels[found == cluster]).dropna().value_counts()
            names.append(None if known.empty else str(known.index[0]))
    return np.array(names, dtype=object)[found]
