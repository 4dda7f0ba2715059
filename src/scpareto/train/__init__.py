"""One training: plans, weights of a step, the loop and its recipe."""

# The loops of single models use these too.
from scpareto.train._loop import _interrupts_raised as interrupts_raised  # noqa: F401
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._recipe import PRACTICAL, PUBLISHED, Recipe
from scpareto.train._records import columns_of  # noqa: F401

__all__ = ["PRACTICAL", "PUBLISHED", "FrontPlan", "Recipe", "TrainingDiverged"]
