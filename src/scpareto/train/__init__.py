"""The loop: one engine trains, judges and keeps every point of a front."""

from scpareto.train._audit_front import audit_front
from scpareto.train._fit_front import FrontRun, apply_point, fit_front
from scpareto.train._generalisability import generalisability
from scpareto.train._infovae_plan import InfoVAEPlan
from scpareto.train._infovae_weights import InfoVAEWeights
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._recipe import PRACTICAL, PUBLISHED, Recipe
from scpareto.train._refine import refine_point
from scpareto.train._split import Split, stratified_split
from scpareto.train._total_correlation_plan import TotalCorrelationPlan
from scpareto.train._two_phases import TwoPhases, check_restore_best
from scpareto.train._wasserstein import CodedCells, WassersteinRecipe, WassersteinTrainer, train_wasserstein

__all__ = [
    "CodedCells",
    "FrontPlan",
    "FrontRun",
    "InfoVAEPlan",
    "InfoVAEWeights",
    "PRACTICAL",
    "PUBLISHED",
    "Recipe",
    "Split",
    "TotalCorrelationPlan",
    "TrainingDiverged",
    "TwoPhases",
    "WassersteinRecipe",
    "WassersteinTrainer",
    "apply_point",
    "audit_front",
    "check_restore_best",
    "fit_front",
    "generalisability",
    "refine_point",
    "stratified_split",
    "train_wasserstein",
]
