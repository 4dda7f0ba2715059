"""Methods of other packages, found by their entry points."""

from __future__ import annotations

import warnings
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "scpareto.methods"
_searched = False


def load_plugins(registered: Mapping[str, Any]) -> None:
    """Import what installed packages offer as methods, once; what fails is warned of and left out.

    Parameters
    ----------
    registered
        The methods (:class:`scpareto.bench.Method`) by name, which grow while packages are imported.
    """
    global _searched
    if _searched:
        return
    # Before the imports: what is imported may look methods up itself.
    _searched = True
    # In an order that does not depend on the search path, so that the same one of two equal names is refused.
    found = sorted(entry_points(group=GROUP), key=lambda entry: (_distribution(entry), entry.name))
    problems = [problem for entry in found if (problem := _load(entry, registered))]
    # After all of them: a filter that makes errors of warnings keeps none from being imported.
    for problem in problems:
        warnings.warn(problem, UserWarning, stacklevel=4)


def _load(entry: EntryPoint, registered: Mapping[str, Any]) -> str:
    """Import what one entry point names; return what is wrong with it, or nothing."""
    before = set(registered)
    try:
        thing = entry.load()
    except Exception as error:  # noqa: BLE001 - a package may fail in any way, and the others still count
        reason = f"{type(error).__name__}: {error}"
    else:
        if set(registered) - before or _is_registered(thing, registered):
            return ""
        reason = "it registers no method; decorate a function by scpareto.bench.register_method"
    return (
        f"The package {_distribution(entry)!r} offers methods for scpareto.bench by its entry point {entry.name!r}, "
        f"{entry.value}, which fails: {reason}."
    )


def _is_registered(thing: Any, registered: Mapping[str, Any]) -> bool:
    """Whether a function, or one of a module, is a method: it may have been imported before anything was looked up."""
    if not isinstance(thing, ModuleType):
        return any(method.run is thing for method in registered.values())
    inside = (thing.__name__, f"{thing.__name__}.")
    homes = (str(getattr(method.run, "__module__", "")) for method in registered.values())
    return any(home == inside[0] or home.startswith(inside[1]) for home in homes)


def _distribution(entry: EntryPoint) -> str:
    return "" if entry.dist is None else entry.dist.name
