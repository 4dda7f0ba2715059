"""What is traded against the generative loss: differentiable scalars of the codes of a minibatch."""

from scpareto.objectives import _mine  # noqa: F401 - registers itself
from scpareto.objectives._base import CodesSeen, Objective
from scpareto.objectives._context import Context
from scpareto.objectives._critic import CodeStandardizer, Critic
from scpareto.objectives._denormals import denormals_flushed
from scpareto.objectives._estimate import CriticSchedule, estimate, evaluate, fit_critic
from scpareto.objectives._mine import Mine
from scpareto.objectives._registry import get_objective, objective_class, objective_names, register_objective

__all__ = [
    "CodeStandardizer",
    "CodesSeen",
    "Context",
    "Critic",
    "CriticSchedule",
    "Mine",
    "Objective",
    "denormals_flushed",
    "estimate",
    "evaluate",
    "fit_critic",
    "get_objective",
    "objective_class",
    "objective_names",
    "register_objective",
]
