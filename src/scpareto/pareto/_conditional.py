"""One training for all preferences."""

from __future__ import annotations

from typing import ClassVar

from scpareto.pareto._registry import register_solver
from scpareto.pareto._scalarization import Scalarization


@register_solver
class Conditional(Scalarization):
    """Weights equal to the preference, which is drawn for every minibatch of one common training.

    The network depends on the preference through its weights, see :class:`scpareto.pareto.WeightPath`. Any preference
    can be chosen afterwards, also one between the points of the front.

    References
    ----------
    Weights as mixtures of those of the extremes: :cite:p:`Dimitriadis2023`; losses drawn in training:
    :cite:p:`Dosovitskiy2020`.
    """

    name = "conditional"
    along_path: ClassVar[bool] = True
