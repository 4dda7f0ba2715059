"""Named rules that choose one point of a front."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from scpareto.pareto._knee import knee_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from scpareto.pareto._front import Front

    Rule = Callable[[Front], int]

RuleFunction = TypeVar("RuleFunction", bound="Rule")

_RULES: dict[str, Rule] = {}


def register_rule(name: str) -> Callable[[RuleFunction], RuleFunction]:
    """Make a function from a front to a point number available under a name; a decorator."""

    def register(function: RuleFunction) -> RuleFunction:
        if name in _RULES:
            raise ValueError(f"A rule named {name!r} is already registered.")
        _RULES[name] = function
        return function

    return register


def rule_names() -> list[str]:
    """Names of all rules."""
    return sorted(_RULES)


def apply_rule(name: str, front: Front) -> int:
    """Point number that a rule chooses."""
    if name not in _RULES:
        raise ValueError(f"Unknown rule {name!r}; choose from {rule_names()}.")
    return _RULES[name](front)


@register_rule("knee")
def knee(front: Front) -> int:
    """Knee of the validation losses, see :func:`scpareto.pareto.knee_index`."""
    losses = front.points("validation")
    known = np.flatnonzero(~np.isnan(losses).any(axis=1))
    if not len(known):
        raise ValueError("The knee needs validation losses of all objectives, but no point has them.")
    return front.numbers[known[knee_index(losses[known])]]
