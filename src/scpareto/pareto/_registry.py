"""Solvers by name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from scpareto.pareto._solver import Solver

_SOLVERS: dict[str, type[Solver]] = {}

SolverClass = TypeVar("SolverClass", bound="type[Solver]")


def register_solver(cls: SolverClass) -> SolverClass:
    """Class decorator that makes a solver available under its ``name``."""
    if cls.name in _SOLVERS:
        raise ValueError(f"A solver named {cls.name!r} is already registered.")
    _SOLVERS[cls.name] = cls
    return cls


def solver_names() -> list[str]:
    """Names of all solvers."""
    return sorted(_SOLVERS)


def solver_class(name: str) -> type[Solver]:
    """Class of a solver.

    Parameters
    ----------
    name
        One of :func:`solver_names`.

    Raises
    ------
    ValueError
        If there is no such solver.
    """
    if name not in _SOLVERS:
        raise ValueError(f"Unknown solver {name!r}; choose from {solver_names()}.")
    return _SOLVERS[name]


def get_solver(name: str, preferences: ArrayLike, **options: Any) -> Solver:
    """Make a solver.

    Parameters
    ----------
    name
        One of :func:`solver_names`.
    preferences
        Grid of preferences of the whole front, shape ``(K, p)``.
    **options
        ``safeguards``, and what the solver itself takes.

    Raises
    ------
    ValueError
        If the solver or an option is unknown.

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
