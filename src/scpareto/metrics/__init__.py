"""Metrics on arrays: information that codes hold about a label, mixing, clustering and preserved structure."""

from scpareto.metrics._batch_entropy import batch_entropy
from scpareto.metrics._batch_left import BatchLeft, batch_left
from scpareto.metrics._cluster_codes import CLUSTERERS, cluster_codes
from scpareto.metrics._clustering_scores import ClusteringScores, clustering_scores, unsupervised_clustering_accuracy
from scpareto.metrics._contrast_retention import (
    Contrast,
    ContrastRetention,
    contrast_of_gene,
    contrast_retention,
    contrasts_within_batches,
)
from scpareto.metrics._factor_vae_score import FactorVAEScore, factor_vae_score
from scpareto.metrics._factors import as_numbers, check_factors
from scpareto.metrics._genes_kept import genes_kept
from scpareto.metrics._graph_mixing import GraphMixing, graph_mixing
from scpareto.metrics._inception_score import InceptionScore, inception_score
from scpareto.metrics._latent_space_entropy import latent_space_entropy
from scpareto.metrics._lost_contrasts import LostContrasts, lost_contrasts
from scpareto.metrics._mutual_information_gap import MutualInformationGap, mutual_information_gap
from scpareto.metrics._neighbor_preservation import neighbor_preservation
from scpareto.metrics._neighborhood_retention import neighborhood_overlaps, neighborhood_retention
from scpareto.metrics._nn_mutual_information import nn_mutual_information
from scpareto.metrics._number_of_clusters import (
    ESTIMATORS,
    NumberOfClusters,
    number_before_drop,
    number_of_clusters,
)
from scpareto.metrics._populations import SharedPopulations, populations_at_resolutions, shared_populations
from scpareto.metrics._probe import ProbeResult, probe_information
from scpareto.metrics._programmes import Programmes, programme_scores, stratified_rows
from scpareto.metrics._random_forest_error import random_forest_error
from scpareto.metrics._robust_spectral import robust_spectral_clustering
from scpareto.metrics._scib_scores import ScibScorer, ScibScores, scib_scores
from scpareto.metrics._silhouette import silhouette
from scpareto.metrics._spearman_gap import SpearmanGap, spearman_gap
from scpareto.metrics._structure_kept import StructureKept, structure_kept
from scpareto.metrics._thinning import thinned_halves
from scpareto.metrics._traversal_scores import traversal_scores

__all__ = [
    "batch_entropy",
    "batch_left",
    "clustering_scores",
    "factor_vae_score",
    "inception_score",
    "latent_space_entropy",
    "lost_contrasts",
    "mutual_information_gap",
    "neighborhood_retention",
    "nn_mutual_information",
    "probe_information",
    "programme_scores",
    "random_forest_error",
    "scib_scores",
    "shared_populations",
    "silhouette",
    "spearman_gap",
    "structure_kept",
    "traversal_scores",
    "unsupervised_clustering_accuracy",
]
