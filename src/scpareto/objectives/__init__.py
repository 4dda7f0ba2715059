"""What is traded against the generative loss: differentiable scalars of the codes of a minibatch."""

from scpareto.objectives._base import CodesSeen, Objective
from scpareto.objectives._classifier import Classifier
from scpareto.objectives._context import Context
from scpareto.objectives._critic import CodeStandardizer, Critic
from scpareto.objectives._dead import is_dead
from scpareto.objectives._deep_clustering import (
    DeepClustering,
    clustering_divergence,
    kmeans_centres,
    soft_assignments,
    target_distribution,
)
from scpareto.objectives._denormals import flush_denormals
from scpareto.objectives._estimate import CriticSchedule, estimate, evaluate, fit_critic, fit_twin
from scpareto.objectives._hsic import HSIC
from scpareto.objectives._information import InformationObjective
from scpareto.objectives._kernels import gaussian, group_sums, squared_distances
from scpareto.objectives._mine import Mine, MineExact, Smile
from scpareto.objectives._mmd import MMD, MMDUnbiased
from scpareto.objectives._prior_divergence import PriorDivergence
from scpareto.objectives._registry import (
    get_objective,
    objective_class,
    objective_names,
    objective_options,
    register_objective,
)
from scpareto.objectives._total_correlation import TotalCorrelation

__all__ = ["Context", "Objective", "get_objective", "objective_names", "register_objective"]
