"""How well clusters of the codes agree with annotated labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from threadpoolctl import threadpool_limits

from scpareto.metrics._checks import check_annotated, check_count, check_labels, check_matrix

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class ClusteringScores:
    """How k-means clusters agree with labels.

    Attributes
    ----------
    ari
        Adjusted Rand index, at most 1; around 0 for clusters unrelated to the labels, negative ones included.
    nmi
        Mutual information divided by the arithmetic mean of the two entropies, in [0, 1].
    uca
        Unsupervised clustering accuracy, in (0, 1].
    clusters
        Cluster of every cell, unannotated ones included, shape ``(n_cells,)``, numbered from 0.

    Examples
    --------
    >>> scores = clustering_scores([[0.0], [1.0], [10.0], [11.0]], ["B", "B", "B", "T"], n_init=1)
    >>> scores.uca, round(scores.nmi, 2), round(scores.ari, 2)
    (0.75, 0.34, 0.0)
    >>> bool(scores.clusters[0] == scores.clusters[1]), bool(scores.clusters[1] == scores.clusters[2])
    (True, False)
    """

    ari: float
    nmi: float
    uca: float
    clusters: NDArray[np.int64]


def clustering_scores(
    codes: ArrayLike, labels: ArrayLike, *, n_clusters: int | None = None, n_init: int = 200, seed: int = 0
) -> ClusteringScores:
    """Cluster the codes with k-means and compare the clusters with annotated labels.

    Parameters
    ----------
    codes
        Codes of the cells, shape ``(n_cells, n_latent)``; usually posterior means.
    labels
        One label per cell, shape ``(n_cells,)``; at least two distinct ones. Cells whose label is missing (NaN, None)
        are clustered with the others but not scored. A text such as ``"nan"`` is a label like any other.
    n_clusters
        Number of clusters; by default the number of distinct labels.
    n_init
        Runs of k-means, each from its own k-means++ start; the one with the smallest within-cluster sum of squares
        counts.
    seed
        Seed of the starts.

    Returns
    -------
    ClusteringScores
        The three scores and the clusters. Codes that are the same for all cells form a single cluster, with a warning
        of scikit-learn: ARI and NMI are then 0 and UCA is the share of the most frequent label.

    Raises
    ------
    ValueError
        If codes are not finite, lengths differ, there are fewer than two labels or fewer cells than clusters, or an
        option is out of range.

    References
    ----------
    Arthur, D. and Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding. SODA 2007, 1027-1035.

    Hubert, L. and Arabie, P. (1985). Comparing partitions. Journal of Classification 2, 193-218.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.repeat(["B", "T"], 50)
    >>> codes = np.random.default_rng(0).normal(size=(100, 2)) + 20 * (labels == "T")[:, None]
    >>> scores = clustering_scores(codes, labels, n_init=5)
    >>> scores.ari, scores.uca
    (1.0, 1.0)
    """
    z = check_matrix(codes, "codes")
    text, annotated = check_annotated(labels, "labels", n_cells=len(z), min_labels=2)
    check_count(n_init, "n_init", minimum=1)
    k = len(np.unique(text)) if n_clusters is None else check_count(n_clusters, "n_clusters", minimum=1)
    if k > len(z):
        raise ValueError(f"`n_clusters` is {k}; there are only {len(z)} cells.")

    # Many short runs gain nothing from threads, and the order of summation in threads changes the last digits.
    with threadpool_limits(limits=1):
        clusters = KMeans(k, init="k-means++", n_init=int(n_init), random_state=seed).fit_predict(z).astype(np.int64)
    scored = clusters[annotated]
    return ClusteringScores(
        ari=float(adjusted_rand_score(text, scored)),
        nmi=float(normalized_mutual_info_score(text, scored, average_method="arithmetic")),
        uca=unsupervised_clustering_accuracy(text, scored),
        clusters=clusters,
    )


def unsupervised_clustering_accuracy(labels: ArrayLike, clusters: ArrayLike) -> float:
    r"""Share of cells in the right cluster, once clusters and labels are matched one to one in the best way.

    Parameters
    ----------
    labels
        One label per cell, shape ``(n_cells,)``.
    clusters
        Cluster of each cell, shape ``(n_cells,)``, as numbers or names.

    Returns
    -------
    float
        The share, in (0, 1]. A single cluster gets the share of the most frequent label. Where clusters outnumber
        labels, the cells of clusters without a partner count as wrong, and the other way round.

    Raises
    ------
    ValueError
        If there are no cells, lengths differ or values are missing.

    Notes
    -----
    With :math:`n_{ac}` the number of cells of label :math:`a` in cluster :math:`c`, the share is
    :math:`\max_\sigma \frac{1}{n} \sum_a n_{a \sigma(a)}` over one-to-one maps :math:`\sigma`, found by the Hungarian
    method.

    References
    ----------
    Kuhn, H. W. (1955). The Hungarian method for the assignment problem. Naval Research Logistics Quarterly 2, 83-97.

    Examples
    --------
    >>> unsupervised_clustering_accuracy(["B", "B", "T", "T"], [1, 1, 0, 1])
    0.75
    """
    text = check_labels(labels, "labels", n_cells=np.size(labels))
    cluster_labels = check_labels(clusters, "clusters", n_cells=len(text))
    shared = contingency_matrix(text, cluster_labels)
    return float(shared[linear_sum_assignment(shared, maximize=True)].sum() / len(text))
