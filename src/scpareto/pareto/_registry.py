"""Solvers by name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from scpareto.pareto._solver import Solver

    Family = Callable[[str], type[Solver]]

_SOLVERS: dict[str, type[Solver]] = {}
_FAMILIES: dict[str, Family] = {}

SolverClass = TypeVar("SolverClass", bound="type[Solver]")
FamilyFunction = TypeVar("FamilyFunction", bound="Family")


def register_solver(cls: SolverClass) -> SolverClass:
    """Class decorator that makes a solver available under its ``name``.

    Examples
    --------
    The same weight for all objectives:

    >>> import numpy as np
    >>> from scpareto.pareto import Solver, get_solver, register_solver
    >>> @register_solver
    ... class Equal(Solver):
    ...     name, needs_gramian = "equal", False
    ...
    ...     def _weights(self, losses, gramian, preference):
    ...         return np.full(self.n_objectives, 1 / self.n_objectives)
    >>> get_solver("equal", preferences=[[0.9, 0.1]]).weights([0.2, 0.4], None, [0.9, 0.1])
    array([0.5, 0.5])
    >>> del _SOLVERS["equal"]  # leave the register as it was
    """
    if cls.name in _SOLVERS:
        raise ValueError(f"A solver named {cls.name!r} is already registered.")
    _SOLVERS[cls.name] = cls
    return cls


def register_solver_family(prefix: str) -> Callable[[FamilyFunction], FamilyFunction]:
    """Make a function from a member's name to its class available under ``"<prefix>:<member>"``; a decorator.

    Examples
    --------
    Solvers that minimise one objective alone:

    >>> import numpy as np
    >>> from scpareto.pareto import Solver, get_solver, register_solver_family
    >>> @register_solver_family("only")
    ... def only(member):
    ...     class Only(Solver):
    ...         name, needs_gramian = f"only:{member}", False
    ...
    ...         def _weights(self, losses, gramian, preference):
    ...             return np.eye(self.n_objectives)[int(member)]
    ...
    ...     return Only
    >>> get_solver("only:1", preferences=[[0.9, 0.1]]).weights([0.2, 0.4], None, [0.9, 0.1])
    array([0., 1.])
    >>> del _FAMILIES["only"]  # leave the register as it was
    """

    def register(function: FamilyFunction) -> FamilyFunction:
        if prefix in _FAMILIES:
            raise ValueError(f"A family of solvers named {prefix!r} is already registered.")
        _FAMILIES[prefix] = function
        return function

    return register


def solver_names() -> list[str]:
    """Names of the built-in solvers.

    There are also the weightings of TorchJD, an optional package (extra ``solvers``), under ``"torchjd:<weighting>"``,
    for example ``"torchjd:UPGrad"``.

    Examples
    --------
    >>> from scpareto.pareto import solver_names
    >>> {"conditional", "epo", "mgda", "pareto_mtl", "scalarization"} <= set(solver_names())
    True
    """
    return sorted(_SOLVERS)


def solver_class(name: str) -> type[Solver]:
    """Class of a solver.

    Parameters
    ----------
    name
        One of :func:`solver_names`, or ``"torchjd:<weighting>"``.

    Raises
    ------
    ValueError
        If there is no such solver.
    ImportError
        If it needs a package that is not installed.

    Examples
    --------
    >>> from scpareto.pareto import solver_class
    >>> solver_class("pareto_mtl").needs_gramian, solver_class("scalarization").needs_gramian
    (True, False)
    >>> solver_class("conditional").along_path
    True
    """
    prefix, colon, member = name.partition(":")
    if colon and prefix in _FAMILIES:
        return _FAMILIES[prefix](member)
    if name not in _SOLVERS:
        others = "".join(f" or '{family}:<name>'" for family in sorted(_FAMILIES))
        raise ValueError(f"Unknown solver {name!r}; choose from {solver_names()}{others}.")
    return _SOLVERS[name]


def get_solver(name: str, preferences: ArrayLike, **options: Any) -> Solver:
    """Make a solver.

    Parameters
    ----------
    name
        One of :func:`solver_names`, or ``"torchjd:<weighting>"``.
    preferences
        Grid of preferences of the whole front, shape ``(K, p)``.
    **options
        ``safeguards``, and what the solver itself takes.

    Raises
    ------
    ValueError
        If the solver or an option is unknown.
    ImportError
        If the solver needs a package that is not installed.

    Examples
    --------
    >>> from scpareto.pareto import preference_vectors
    >>> get_solver("scalarization", preferences=preference_vectors(5)).weights([0.2, 0.4], None, [0.3, 0.7])
    array([0.3, 0.7])
    """
    cls = solver_class(name)
    valid = [option for option in inspect.signature(cls).parameters if option != "preferences"]
    unknown = sorted(set(options) - set(valid))
    if unknown:
        raise ValueError(f"Unknown options {unknown} for solver {name!r}; choose from {valid}.")
    return cls(preferences, **options)
