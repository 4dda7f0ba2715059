"""Numbers from arrays: what codes still tell about a label, how they mix and cluster, and what they kept."""

from ._batch_entropy import batch_entropy
from ._clustering_scores import ClusteringScores, clustering_scores, unsupervised_clustering_accuracy
from ._contrast_retention import (
    Contrast,
    ContrastRetention,
    contrast_of_gene,
    contrast_retention,
    contrasts_within_batches,
)
from ._factor_vae_score import FactorVAEScore, factor_vae_score
from ._inception_score import InceptionScore, inception_score
from ._latent_space_entropy import latent_space_entropy
from ._mutual_information_gap import MutualInformationGap, mutual_information_gap
from ._neighborhood_retention import neighborhood_retention
from ._nn_mutual_information import nn_mutual_information
from ._probe import ProbeResult, probe_information
from ._random_forest_error import random_forest_error
from ._scib_scores import ScibScorer, ScibScores, scib_scores
from ._silhouette import silhouette
from ._spearman_gap import SpearmanGap, spearman_gap
from ._traversal_scores import traversal_scores

__all__ = [
    "ClusteringScores",
    "Contrast",
    "ContrastRetention",
    "FactorVAEScore",
    "InceptionScore",
    "MutualInformationGap",
    "ProbeResult",
    "ScibScorer",
    "ScibScores",
    "SpearmanGap",
    "batch_entropy",
    "clustering_scores",
    "contrast_of_gene",
    "contrast_retention",
    "contrasts_within_batches",
    "factor_vae_score",
    "inception_score",
    "latent_space_entropy",
    "mutual_information_gap",
    "neighborhood_retention",
    "nn_mutual_information",
    "probe_information",
    "random_forest_error",
    "scib_scores",
    "silhouette",
    "spearman_gap",
    "traversal_scores",
    "unsupervised_clustering_accuracy",
]
