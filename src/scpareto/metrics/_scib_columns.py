"""The ten default scores of scib-metrics, under its names, as functions of one point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from scpareto.metrics._scib_kbet import kbet_within_labels
from scpareto.metrics._scib_silhouettes import cosine_silhouette, group_sums

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scpareto.metrics._scib_point import ScibPoint

N_CONNECTIVITY, N_KBET = 15, 50


def batch_share(values: NDArray, batch: NDArray[np.int64]) -> float:
    r"""Return the share of the variance of a matrix that batch explains, in [0, 1].

    This is principal component regression on all components: with :math:`V_k` the variance of component :math:`k` and
    :math:`R^2_k` that of its regression on batch, :math:`\sum_k V_k R^2_k / \sum_k V_k` is the same in every rotation,
    so that no components are needed.
    """
    centered = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    between = np.square(group_sums(centered, batch)).sum(axis=1) / np.bincount(batch)
    return float(between.sum() / np.square(centered).sum())


def _isolated_labels(point: ScibPoint) -> float:
    in_batch = np.zeros((point.label.max() + 1, point.batch.max() + 1), dtype=bool)
    in_batch[point.label, point.batch] = True
    n_batches = in_batch.sum(axis=1)
    isolated = np.flatnonzero(n_batches == n_batches.min())
    return float(np.mean([(point.silhouette[point.label == label].mean() + 1) / 2 for label in isolated]))


def _nmi(point: ScibPoint) -> float:
    return float(normalized_mutual_info_score(point.label, point.clusters, average_method="arithmetic"))


def _ari(point: ScibPoint) -> float:
    return float(adjusted_rand_score(point.label, point.clusters))


def _silhouette_label(point: ScibPoint) -> float:
    return float((point.silhouette.mean() + 1) / 2)


def _clisi(point: ScibPoint) -> float:
    from scib_metrics import clisi_knn

    return float(clisi_knn(point.nearest, point.label))


def _ilisi(point: ScibPoint) -> float:
    from scib_metrics import ilisi_knn

    return float(ilisi_knn(point.nearest, point.batch))


def _bras(point: ScibPoint) -> float:
    scores = []
    for label in range(point.label.max() + 1):
        members = np.flatnonzero(point.label == label)
        names, batch = np.unique(point.batch[members], return_inverse=True)
        if 1 < len(names) < len(members):
            scores.append(1 - np.abs(cosine_silhouette(point.codes[members], batch)).mean())
    return float(np.mean(scores)) if scores else float("nan")


def _kbet(point: ScibPoint) -> float:
    graph = point.first_neighbors(N_KBET).knn_graph_connectivities
    shares = kbet_within_labels(graph, point.batch, point.label)
    defined = shares[~np.isnan(shares)]
    return float(defined.mean()) if len(defined) else float("nan")


def _graph_connectivity(point: ScibPoint) -> float:
    from scib_metrics import graph_connectivity

    return float(graph_connectivity(point.first_neighbors(N_CONNECTIVITY), point.label))


def _pcr_comparison(point: ScibPoint) -> float:
    return max(0.0, 1 - batch_share(point.codes, point.batch) / point.expression_share)


BIO_CONSERVATION: dict[str, Callable[[ScibPoint], float]] = {
    "isolated_labels": _isolated_labels,
    "nmi_ari_cluster_labels_kmeans_nmi": _nmi,
    "nmi_ari_cluster_labels_kmeans_ari": _ari,
    "silhouette_label": _silhouette_label,
    "clisi_knn": _clisi,
}
BATCH_CORRECTION: dict[str, Callable[[ScibPoint], float]] = {
    "bras": _bras,
    "ilisi_knn": _ilisi,
    "kbet_per_label": _kbet,
    "graph_connectivity": _graph_connectivity,
    "pcr_comparison": _pcr_comparison,
}
