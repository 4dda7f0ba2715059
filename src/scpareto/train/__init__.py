"""The loop: one engine trains, judges and keeps every point of a front."""

from scpareto.train._audit_front import audit_front
from scpareto.train._fit_front import FrontRun, apply_point, fit_front
from scpareto.train._generalisability import generalisability
from scpareto.train._infovae_plan import InfoVAEPlan
from scpareto.train._infovae_weights import InfoVAEWeights
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._recipe import PRACTICAL, PUBLISHED, Recipe
from scpareto.train._split import Split, stratified_split
from scpareto.train._two_phases import TwoPhases, check_restore_best

__all__ = [
    "PRACTICAL",
    "PUBLISHED",
    "FrontPlan",
    "FrontRun",
    "InfoVAEPlan",
    "InfoVAEWeights",
    "Recipe",
    "Split",
    "TrainingDiverged",
    "TwoPhases",
    "apply_point",
    "audit_front",
    "check_restore_best",
    "fit_front",
    "generalisability",
    "stratified_split",
]
