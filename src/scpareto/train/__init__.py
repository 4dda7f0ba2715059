"""One training: plans, weights of a step, the loop and its recipe."""

from scpareto.train._adapter import VAEAdapter, get_adapter, register_adapter, registered_context
from scpareto.train._generalisability import generalisability
from scpareto.train._infovae_plan import InfoVAEPlan
from scpareto.train._infovae_weights import InfoVAEWeights
from scpareto.train._loop import keep_best, run_training
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._problem import Problem, Start, State, begin
from scpareto.train._recipe import PRACTICAL, PUBLISHED, Recipe
from scpareto.train._records import columns_of, copied_state, n_epochs_in, plain_number
from scpareto.train._total_correlation_plan import TotalCorrelationPlan
from scpareto.train._train import train
from scpareto.train._training import Trained, Training
from scpareto.train._two_phases import TwoPhases, check_restore_best
from scpareto.train._wasserstein import CodedCells, WassersteinRecipe, WassersteinTrainer, train_wasserstein
from scpareto.train._weights_of import AlongPath, BySolver, Fixed

__all__ = [
    "AlongPath",
    "BySolver",
    "CodedCells",
    "Fixed",
    "FrontPlan",
    "InfoVAEPlan",
    "InfoVAEWeights",
    "PRACTICAL",
    "PUBLISHED",
    "Problem",
    "Recipe",
    "Start",
    "TotalCorrelationPlan",
    "Trained",
    "Training",
    "TrainingDiverged",
    "TwoPhases",
    "VAEAdapter",
    "WassersteinRecipe",
    "WassersteinTrainer",
    "check_restore_best",
    "generalisability",
    "register_adapter",
    "train",
    "train_wasserstein",
]
