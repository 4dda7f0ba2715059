"""Numbers from arrays: what codes still tell about a label, how they mix and cluster, and what they kept."""

from ._batch_entropy import batch_entropy
from ._cluster_codes import cluster_codes
from ._clustering_scores import ClusteringScores, clustering_scores, unsupervised_clustering_accuracy
from ._contrast_retention import (
    Contrast,
    ContrastRetention,
    contrast_of_gene,
    contrast_retention,
    contrasts_within_batches,
)
from ._neighbor_preservation import neighbor_preservation
from ._neighborhood_retention import neighborhood_retention
from ._nn_mutual_information import nn_mutual_information
from ._number_of_clusters import NumberOfClusters, number_of_clusters
from ._probe import ProbeResult, probe_information
from ._robust_spectral import robust_spectral_clustering
from ._scib_scores import ScibScorer, ScibScores, scib_scores
from ._silhouette import silhouette

__all__ = [
    "ClusteringScores",
    "Contrast",
    "ContrastRetention",
    "NumberOfClusters",
    "ProbeResult",
    "ScibScorer",
    "ScibScores",
    "batch_entropy",
    "cluster_codes",
    "clustering_scores",
    "contrast_of_gene",
    "contrast_retention",
    "contrasts_within_batches",
    "neighbor_preservation",
    "neighborhood_retention",
    "nn_mutual_information",
    "number_of_clusters",
    "probe_information",
    "robust_spectral_clustering",
    "scib_scores",
    "silhouette",
    "unsupervised_clustering_accuracy",
]
