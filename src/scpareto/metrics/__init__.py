"""Numbers from arrays: what codes still tell about a label, how they mix and cluster, and what they kept."""

from ._batch_entropy import batch_entropy
from ._clustering_scores import ClusteringScores, clustering_scores, unsupervised_clustering_accuracy
from ._neighborhood_retention import neighborhood_retention
from ._nn_mutual_information import nn_mutual_information
from ._probe import ProbeResult, probe_information
from ._scib_scores import ScibScorer, ScibScores, scib_scores
from ._silhouette import silhouette

__all__ = [
    "ClusteringScores",
    "ProbeResult",
    "ScibScorer",
    "ScibScores",
    "batch_entropy",
    "clustering_scores",
    "neighborhood_retention",
    "nn_mutual_information",
    "probe_information",
    "scib_scores",
    "silhouette",
    "unsupervised_clustering_accuracy",
]
