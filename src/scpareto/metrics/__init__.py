"""Numbers from arrays: what codes still tell about a label, how they mix and cluster, and what they kept."""

from ._batch_entropy import batch_entropy
from ._batch_left import BatchLeft, batch_left
from ._cluster_codes import CLUSTERERS, cluster_codes
from ._clustering_scores import ClusteringScores, clustering_scores, unsupervised_clustering_accuracy
from ._contrast_retention import (
    Contrast,
    ContrastRetention,
    contrast_of_gene,
    contrast_retention,
    contrasts_within_batches,
)
from ._factor_vae_score import FactorVAEScore, factor_vae_score
from ._factors import as_numbers, check_factors
from ._genes_kept import KEPT_FROM as GENES_KEPT_FROM
from ._genes_kept import genes_kept
from ._graph_mixing import GraphMixing, graph_mixing
from ._inception_score import InceptionScore, inception_score
from ._latent_space_entropy import latent_space_entropy
from ._lost_contrasts import LostContrasts, lost_contrasts
from ._mutual_information_gap import MutualInformationGap, mutual_information_gap
from ._neighbor_preservation import neighbor_preservation
from ._neighborhood_retention import neighborhood_overlaps, neighborhood_retention
from ._nn_mutual_information import nn_mutual_information
from ._number_of_clusters import (
    ESTIMATORS,
    NumberOfClusters,
    before_the_drop,
    number_of_clusters,
)
from ._populations import SharedPopulations, populations_at_resolutions, shared_populations
from ._probe import ProbeResult, probe_information
from ._programmes import Programmes, programme_scores, stratified_rows
from ._random_forest_error import random_forest_error
from ._robust_spectral import robust_spectral_clustering
from ._scib_scores import ScibScorer, ScibScores, scib_scores
from ._silhouette import silhouette
from ._spearman_gap import SpearmanGap, spearman_gap
from ._structure_kept import StructureKept, structure_kept
from ._thinning import thinned_halves
from ._traversal_scores import traversal_scores

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
