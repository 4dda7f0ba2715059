"""The loop: one engine trains, judges and keeps every point of a front."""

from scpareto.train._audit_front import audit_front
from scpareto.train._fit_front import FrontRun, apply_point, fit_front
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._recipe import PRACTICAL, PUBLISHED, Recipe
from scpareto.train._split import Split, stratified_split
from scpareto.train._total_correlation_plan import TotalCorrelationPlan
from scpareto.train._wasserstein import CodedCells, WassersteinRecipe, WassersteinTrainer, train_wasserstein

__all__ = [
    "PRACTICAL",
    "PUBLISHED",
    "CodedCells",
    "FrontPlan",
    "FrontRun",
    "Recipe",
    "Split",
    "TotalCorrelationPlan",
    "TrainingDiverged",
    "WassersteinRecipe",
    "WassersteinTrainer",
    "apply_point",
    "audit_front",
    "fit_front",
    "stratified_split",
    "train_wasserstein",
]
