"""Load methods of other packages by their entry points."""

from __future__ import annotations

import warnings
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "scpareto.methods"
_plugins_loaded = False


def load_plugins(registered: Mapping[str, Any]) -> None:
    """Import the methods of installed packages, once; warn of those that fail.

    Parameters
    ----------
    registered
        The methods (:class:`scpareto.bench.Method`) by name, to which imported packages add theirs.
    """
    global _plugins_loaded
    if _plugins_loaded:
        return
    # Set before the imports, since an imported package may look up methods itself.
    _plugins_loaded = True
    # Sorted, so that the order does not depend on the search path: of two equal names always the same is refused.
    entries = sorted(entry_points(group=GROUP), key=lambda entry: (_distribution(entry), entry.name))
    problems = [problem for entry in entries if (problem := _load(entry, registered))]
    # Warn after all imports: if a filter turns warnings into errors, the packages are still imported.
    for problem in problems:
        warnings.warn(problem, UserWarning, stacklevel=4)


def _load(entry: EntryPoint, registered: Mapping[str, Any]) -> str:
    """Import one entry point; return an error message, or an empty string."""
    before = set(registered)
    try:
        loaded = entry.load()
    except Exception as error:  # noqa: BLE001 - a package may fail in any way, and the others still count
        reason = f"{type(error).__name__}: {error}"
    else:
        if set(registered) - before or _is_registered(loaded, registered):
            return ""
        reason = "it registers no method; decorate a function by scpareto.bench.register_method"
    return (
        f"The package {_distribution(entry)!r} offers methods for scpareto.bench by its entry point {entry.name!r}, "
        f"{entry.value}, which fails: {reason}."
    )


def _is_registered(loaded: Any, registered: Mapping[str, Any]) -> bool:
    """Whether a function, or a function of a module, is registered; it may have been imported earlier."""
    if not isinstance(loaded, ModuleType):
        return any(method.run is loaded for method in registered.values())
    prefixes = (loaded.__name__, f"{loaded.__name__}.")
    modules = (str(getattr(method.run, "__module__", "")) for method in registered.values())
    return any(module == prefixes[0] or module.startswith(prefixes[1]) for module in modules)


def _distribution(entry: EntryPoint) -> str:
    return "" if entry.dist is None else entry.dist.name
