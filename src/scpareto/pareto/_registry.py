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
    """Class decorator that makes a solver available under its ``name``."""
    if cls.name in _SOLVERS:
        raise ValueError(f"A solver named {cls.name!r} is already registered.")
    _SOLVERS[cls.name] = cls
    return cls


def register_solver_family(prefix: str) -> Callable[[FamilyFunction], FamilyFunction]:
    """Make a function from a member's name to its class available under ``"<prefix>:<member>"``; a decorator."""

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
    known = [option for option in inspect.signature(cls).parameters if option != "preferences"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"Unknown options {unknown} for solver {name!r}; choose from {known}.")
    return cls(preferences, **options)
