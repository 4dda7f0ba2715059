"""The loop: one engine trains, judges and keeps every point of a front."""

from scpareto.train._audit_front import audit_front
from scpareto.train._fit_front import FrontRun, apply_point, fit_front
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._recipe import PRACTICAL, PUBLISHED, Recipe
from scpareto.train._split import Split, stratified_split

__all__ = [
    "PRACTICAL",
    "PUBLISHED",
    "FrontPlan",
    "FrontRun",
    "Recipe",
    "Split",
    "TrainingDiverged",
    "apply_point",
    "audit_front",
    "fit_front",
    "stratified_split",
]
