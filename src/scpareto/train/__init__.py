"""One training: its value, its plan, the weights of a step, the loop and the recipe."""

from scpareto.train._adapter import VAEAdapter, adapter_class, get_adapter, get_context, register_adapter
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._problem import Problem, Start, State, load_start
from scpareto.train._recipe import PRACTICAL, PUBLISHED, Recipe
from scpareto.train._records import copy_state, count_epochs, history_columns, plain_number
from scpareto.train._train import train
from scpareto.train._training import Trained, Training
from scpareto.train._weights_of import AlongPath, BySolver, Fixed

__all__ = ["Recipe", "VAEAdapter", "register_adapter"]
