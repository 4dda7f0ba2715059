"""A method whose option is turned: which values, how it is run at each, which library does the work."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from scpareto._cells import key_of
from scpareto.bench import checked_method, gather, get_method, method_names, run_method
from scpareto.tl._followed import codes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from scpareto.bench import Method


@dataclass(frozen=True)
class Turned:
    """A method and the values of its option.

    Parameters
    ----------
    name
        What it is called in keys.
    knob
        Name of the option.
    values
        Values, from the least to the strongest correcting.
    library
        Library that does the work, with its version; empty where it is not known.
    default
        Value that the method takes by itself; None where it has none.
    """

    name: str
    knob: str
    values: tuple[Any, ...]
    library: str = ""
    default: Any = None

    def what(self, value: Any) -> str:
        """Name the method at one value."""
        told = f"{value:g}" if isinstance(value, int | float) else repr(value)
        return f"{self.name} at {self.knob}={told}"


def turned_method(name: str, values: Sequence[Any] | None, knob: str | None, options: Mapping[str, Any]) -> Turned:
    """Look a registered method up, and check its option and the values.

    Raises
    ------
    ValueError
        If there is no such method, it has no such option, or a value is out of range.
    ImportError
        If its library is missing.
    """
    method = get_method(name)
    if method.returns == "front":
        raise ValueError(f"method={name!r} learns its whole front by itself: sp.tl.integrate(adata, batch_key=...).")
    own = method.knob
    if knob is None and own is None:
        have = [known for known in method_names() if get_method(known).knob is not None]
        raise ValueError(
            f"method={name!r} has no option that sets its strength. Methods with one: {', '.join(have)}. Another "
            "option is turned by knob='...' and values=[...]."
        )
    option = own.option if knob is None and own is not None else str(knob)
    if option in options:
        raise ValueError(f"options name {option!r}, which is turned: give its values by values=[...].")
    checked_method(name, {**options, option: None})
    default = inspect.signature(method.run).parameters.get(option)
    taken = None if default is None or default.default is inspect.Parameter.empty else default.default
    if own is not None and option == own.option:
        chosen: tuple[Any, ...] = own.checked(own.grid if values is None else several(values))
    elif values is None:
        raise ValueError(f"knob={option!r}: give its values, from the least to the strongest correcting, by values=.")
    else:
        chosen = several(values)
    return Turned(name, option, chosen, library_of(method.library), taken)


def turned_function(function: Callable[..., Any], values: Sequence[Any] | None) -> Turned:
    """Check the values of a user's function.

    Raises
    ------
    ValueError
        If there are none, or fewer than two.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if values is None:
        raise ValueError(f"method={name}: give its values, from the least to the strongest correcting, by values=.")
    return Turned("function" if name == "<lambda>" else name, "value", several(values))


def several(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return two values or more, all different, or refuse them."""
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TypeError(f"values={values!r} must be a list of values, from the least to the strongest correcting.")
    listed = [value.item() if hasattr(value, "item") else value for value in values]
    if len(listed) < 2:
        raise ValueError(f"values={listed!r}: a front needs two values or more; sp.tl.judge judges one embedding.")
    if repeated := [value for value in listed if listed.count(value) > 1]:
        raise ValueError(f"values: {repeated[0]!r} is given {listed.count(repeated[0])} times.")
    if strange := [value for value in listed if isinstance(value, float) and value != value]:
        raise ValueError(f"values: {strange[0]!r} is no value.")
    return tuple(listed)


def library_of(name: str) -> str:
    """Name a library with its version."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return name


def runs_of_method(
    turned: Turned,
    counts: AnnData,
    *,
    batch_key: str,
    labels_key: str | None,
    layer: str | None,
    options: Mapping[str, Any],
    seed: int,
    depth: NDArray[Any] | None = None,
) -> Callable[[Any], NDArray[np.float32]]:
    """Return what runs a registered method at a value, on cells that are gathered once; ``depth`` is over all genes."""
    method: Method = get_method(turned.name)
    if method.reads_labels and labels_key is None:
        raise ValueError(f"method={turned.name!r} reads labels: name their column by labels_key=...")
    labels = key_of(labels_key, "labels_key") if method.reads_labels else None
    cells = gather(counts, batch_key=batch_key, labels_key=labels, layer=layer, seed=seed, depth=depth)
    method.check_sizes(cells)

    def run(value: Any) -> NDArray[np.float32]:
        found = run_method(method, cells, {**options, turned.knob: value})
        return codes_of(found, counts.obs_names, turned.what(value))

    return run


def runs_of_function(
    turned: Turned, function: Callable[..., Any], adata: AnnData, options: Mapping[str, Any]
) -> Callable[[Any], NDArray[np.float32]]:
    """Return what calls a user's function with a copy of the cells and a value."""

    def run(value: Any) -> NDArray[np.float32]:
        # A copy for each value: what a function writes into it neither reaches the next one nor the user's cells.
        cells = adata.to_memory() if adata.isbacked else adata.copy()
        return codes_of(function(cells, value, **options), adata.obs_names, turned.what(value))

    return run
