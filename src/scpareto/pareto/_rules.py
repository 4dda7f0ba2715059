"""Named rules that choose one point of a front."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from scpareto.pareto._judged import alarm_mask
from scpareto.pareto._knee import knee_index

if TYPE_CHECKING:
    from scpareto.pareto._front_data import FrontData

# A rule may say that it takes a `Front`, which lies above this file.
Rule = Callable[..., int]
RuleFunction = TypeVar("RuleFunction", bound=Rule)

_RULES: dict[str, Rule] = {}


def register_rule(name: str) -> Callable[[RuleFunction], RuleFunction]:
    """Make a function from a front to a point number available under a name; a decorator.

    Examples
    --------
    The most strongly corrected point:

    >>> from scpareto.pareto import Front, register_rule
    >>> @register_rule("strongest")
    ... def strongest(front):
    ...     return front.numbers[-1]
    >>> front = Front(objectives=["generative_loss", "mmd"], method="scalarization", n_expected=2)
    >>> front.add({"point": 0, "kind": "extreme", "generative_loss_test": 330.0, "mmd_test": 0.5})
    >>> front.add({"point": 1, "kind": "extreme", "generative_loss_test": 340.0, "mmd_test": 0.1})
    >>> front.find("strongest")
    1
    >>> del _RULES["strongest"]  # leave the register as it was
    """

    def register(function: RuleFunction) -> RuleFunction:
        if name in _RULES:
            raise ValueError(f"A rule named {name!r} is already registered.")
        _RULES[name] = function
        return function

    return register


def rule_names() -> list[str]:
    """Names of all rules.

    Examples
    --------
    >>> from scpareto.pareto import rule_names
    >>> {"auto", "knee"} <= set(rule_names())
    True
    """
    return sorted(_RULES)


def apply_rule(name: str, front: FrontData) -> int:
    """Point number that a rule chooses."""
    if name not in _RULES:
        raise ValueError(f"Unknown rule {name!r}; choose from {rule_names()}.")
    return _RULES[name](front)


@register_rule("knee")
def knee(front: FrontData) -> int:
    """Knee of the validation losses of points without alarm, see :func:`scpareto.pareto.knee_index`."""
    losses = front.points("validation")
    candidates = np.flatnonzero(~np.isnan(losses).any(axis=1) & ~alarm_mask(front))
    if not len(candidates):
        raise ValueError("The knee needs validation losses of all objectives, but no point without alarm has them.")
    return front.numbers[candidates[knee_index(losses[candidates])]]
