"""Objectives by name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from scpareto.objectives._base import Objective

_OBJECTIVES: dict[str, type[Objective]] = {}
_T = TypeVar("_T", bound="type[Objective]")


def register_objective(cls: _T) -> _T:
    """Class decorator that makes an objective available by its ``name``.

    Examples
    --------
    >>> from scpareto.objectives import MMD, get_objective, register_objective
    >>> @register_objective
    ... class WideMMD(MMD):
    ...     name = "wide_mmd"
    >>> get_objective("wide_mmd", n_latent=2, n_categories=2, bandwidths=[20]).label
    'wide_mmd'
    >>> del _OBJECTIVES["wide_mmd"]  # leave the register as it was
    """
    _OBJECTIVES[cls.name] = cls
    return cls


def objective_names() -> list[str]:
    """Names that :func:`get_objective` accepts.

    Examples
    --------
    >>> from scpareto.objectives import objective_names
    >>> {"classifier", "mine", "mmd"} <= set(objective_names())
    True
    """
    return sorted(_OBJECTIVES)


def objective_class(name: str) -> type[Objective]:
    """Class of an objective.

    Raises
    ------
    ValueError
        If no objective has this name; the message lists those that exist.

    Examples
    --------
    >>> from scpareto.objectives import objective_class
    >>> objective_class("mine").has_critic, objective_class("mmd").has_critic
    (True, False)
    >>> sorted(objective_class("hsic").kinds)
    ['categorical', 'continuous']
    """
    if name not in _OBJECTIVES:
        raise ValueError(f"objective={name!r} is unknown. Choose one of {', '.join(objective_names())}.")
    return _OBJECTIVES[name]


def objective_options(cls: type[Objective]) -> list[str]:
    """Names of the arguments of an objective, including those of its base classes.

    Examples
    --------
    >>> from scpareto.objectives import objective_class, objective_options
    >>> objective_options(objective_class("mmd"))
    ['n_latent', 'n_categories', 'target', 'on', 'bandwidths', 'bandwidth_scale', 'reduction']
    """
    names: dict[str, None] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        names |= dict.fromkeys(p.name for p in parameters if p.name != "self" and p.kind is not p.VAR_KEYWORD)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return list(names)


def get_objective(name: str, **options: Any) -> Objective:
    """Build an objective.

    Parameters
    ----------
    name
        One of :func:`objective_names`.
    **options
        Arguments of its class, e.g. ``n_latent``, ``n_categories``, ``target`` and ``on``.

    Returns
    -------
    The objective, untrained.

    Raises
    ------
    ValueError
        If the name or an option is unknown; the message lists the valid ones.

    Examples
    --------
    >>> import scpareto as sp
    >>> sp.objectives.get_objective("mine", n_latent=10, n_categories=3).name
    'mine'
    """
    cls = objective_class(name)
    valid_options = objective_options(cls)
    for option in options:
        if option not in valid_options:
            raise ValueError(f"Objective {name!r} has no option {option!r}. Its options: {', '.join(valid_options)}.")
    return cls(**options)
