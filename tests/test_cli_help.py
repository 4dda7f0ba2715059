"""What the help of the command line lists is what there is."""

from __future__ import annotations

from scpareto.bench import get_method, methods
from scpareto.cli._commands import METHODS, OBJECTIVES
from scpareto.cli._compare import INTEGRATORS
from scpareto.objectives import objective_names
from scpareto.pareto import solver_names


def test_options_list_every_method_and_objective():
    assert set(METHODS) == set(solver_names())
    assert set(OBJECTIVES) == set(objective_names())
    ours = {name for name in methods()["name"] if get_method(name).run.__module__.startswith("scpareto.bench._methods")}
    assert set(INTEGRATORS) == ours, "without those of other packages"
