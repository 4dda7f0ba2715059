"""One training: plans, weights of a step, the loop and its recipe."""

from scpareto.train._adapter import VAEAdapter, get_adapter, register_adapter  # noqa: F401 - get_adapter is for other rooms
from scpareto.train._generalisability import generalisability
from scpareto.train._infovae_plan import InfoVAEPlan
from scpareto.train._infovae_weights import InfoVAEWeights
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._recipe import PRACTICAL, PUBLISHED, Recipe
from scpareto.train._total_correlation_plan import TotalCorrelationPlan
from scpareto.train._two_phases import TwoPhases, check_restore_best
from scpareto.train._wasserstein import CodedCells, WassersteinRecipe, WassersteinTrainer, train_wasserstein

__all__ = [
    "CodedCells",
    "FrontPlan",
    "InfoVAEPlan",
    "InfoVAEWeights",
    "PRACTICAL",
    "PUBLISHED",
    "Recipe",
    "TotalCorrelationPlan",
    "TrainingDiverged",
    "TwoPhases",
    "VAEAdapter",
    "WassersteinRecipe",
    "WassersteinTrainer",
    "check_restore_best",
    "generalisability",
    "register_adapter",
    "train_wasserstein",
]
