"""One training: its value, its plan, the weights of a step, the loop and the recipe."""

from scpareto.train._adapter import VAEAdapter, adapter_class, get_adapter, register_adapter, registered_context
from scpareto.train._plan import FrontPlan, TrainingDiverged
from scpareto.train._problem import Problem, Start, State, begin
from scpareto.train._recipe import PRACTICAL, PUBLISHED, Recipe
from scpareto.train._records import columns_of, copied_state, n_epochs_in, plain_number
from scpareto.train._train import train
from scpareto.train._training import Trained, Training
from scpareto.train._weights_of import AlongPath, BySolver, Fixed

__all__ = ["Recipe", "VAEAdapter", "register_adapter"]
