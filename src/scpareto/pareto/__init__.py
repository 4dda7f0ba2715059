"""How objectives are traded: preferences, solvers, and the front that results."""

# Importing a solver's or a rule's file registers it.
from scpareto.pareto import _auto, _conditional, _epo, _mgda, _pareto_mtl, _scalarization, _tchebycheff, _torchjd
from scpareto.pareto._attainable import attainable_range, range_in_words
from scpareto.pareto._axis import find_place, fit_falling_curve
from scpareto.pareto._composition import COMPOSITION_MARGIN, MIN_UNMATCHED_SHARE, advice_on_composition
from scpareto.pareto._directions import is_higher_better
from scpareto.pareto._find import Which, check_which
from scpareto.pareto._front import Front
from scpareto.pareto._indicators import hypervolume, non_dominated, number_of_distinct_choices
from scpareto.pareto._knee import knee_index
from scpareto.pareto._min_norm import min_norm_combination, min_norm_weights
from scpareto.pareto._path import RUNNING_VARIANCE, WeightPath, coefficients_at, preference_at, shares_of
from scpareto.pareto._plain import table_from_plain, table_to_plain, to_plain
from scpareto.pareto._preferences import preference_rays, preference_vectors
from scpareto.pareto._record import front_from_record, front_record, place_record
from scpareto.pareto._registry import (
    get_solver,
    register_solver,
    register_solver_family,
    solver_class,
    solver_names,
)
from scpareto.pareto._rules import register_rule, rule_names
from scpareto.pareto._safeguards import Safeguards
from scpareto.pareto._scaler import Scaler, get_scaler, scaler_names
from scpareto.pareto._selection import Place, Selection
from scpareto.pareto._solver import Solver
from scpareto.pareto._sweep import sweep_record, value_in_words

__all__ = [
    "Front",
    "Safeguards",
    "Solver",
    "get_solver",
    "hypervolume",
    "non_dominated",
    "number_of_distinct_choices",
    "preference_vectors",
    "register_rule",
    "register_solver",
]
