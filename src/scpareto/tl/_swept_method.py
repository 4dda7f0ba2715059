"""A method whose option is varied: its values, how it is run at each, and its library."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from scpareto._cells import parse_key
from scpareto.bench import find_method, get_method, method_names, read_cells, run_method
from scpareto.tl._returned_codes import read_codes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from anndata import AnnData
    from numpy.typing import NDArray

    from scpareto.bench import Method


@dataclass(frozen=True)
class SweptMethod:
    """A method and the values of its option.

    Parameters
    ----------
    name
        Name in keys.
    knob
        Name of the option.
    values
        Values, from the least to the strongest correcting.
    library
        Library of the method, with its version; empty if unknown.
    default
        Default value of the option; None without default.
    """

    name: str
    knob: str
    values: tuple[Any, ...]
    library: str = ""
    default: Any = None

    def describe(self, value: Any) -> str:
        """Return the name of the method with one value of the option."""
        text = f"{value:g}" if isinstance(value, int | float) else repr(value)
        return f"{self.name} at {self.knob}={text}"


def make_swept_method(
    name: str, values: Sequence[Any] | None, knob: str | None, options: Mapping[str, Any]
) -> SweptMethod:
    """Look up a registered method, and check its option and the values.

    Raises
    ------
    ValueError
        If the method or the option does not exist, or a value is out of range.
    ImportError
        If its library is missing.
    """
    method = get_method(name)
    if method.returns == "front":
        raise ValueError(f"method={name!r} learns its whole front by itself: sp.tl.integrate(adata, batch_key=...).")
    method_knob = method.knob
    if knob is None and method_knob is None:
        with_knob = [candidate for candidate in method_names() if get_method(candidate).knob is not None]
        raise ValueError(
            f"method={name!r} has no option that sets its strength. Methods with one: {', '.join(with_knob)}. Another "
            "option is turned by knob='...' and values=[...]."
        )
    option = method_knob.option if knob is None and method_knob is not None else str(knob)
    if option in options:
        raise ValueError(f"options name {option!r}, which is turned: give its values by values=[...].")
    find_method(name, {**options, option: None})
    default = inspect.signature(method.run).parameters.get(option)
    default_value = None if default is None or default.default is inspect.Parameter.empty else default.default
    if method_knob is not None and option == method_knob.option:
        checked_values: tuple[Any, ...] = method_knob.checked(
            method_knob.grid if values is None else check_values(values)
        )
    elif values is None:
        raise ValueError(f"knob={option!r}: give its values, from the least to the strongest correcting, by values=.")
    else:
        checked_values = check_values(values)
    return SweptMethod(name, option, checked_values, describe_library(method.library), default_value)


def make_swept_function(function: Callable[..., Any], values: Sequence[Any] | None) -> SweptMethod:
    """Check the values of a user's function.

    Raises
    ------
    ValueError
        If there are none, or fewer than two.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if values is None:
        raise ValueError(f"method={name}: give its values, from the least to the strongest correcting, by values=.")
    return SweptMethod("function" if name == "<lambda>" else name, "value", check_values(values))


def check_values(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return the values as a tuple; raise an error if there are fewer than two or they are not all different."""
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TypeError(f"values={values!r} must be a list of values, from the least to the strongest correcting.")
    value_list = [value.item() if hasattr(value, "item") else value for value in values]
    if len(value_list) < 2:
        raise ValueError(f"values={value_list!r}: a front needs two values or more; sp.tl.judge judges one embedding.")
    if repeated := [value for value in value_list if value_list.count(value) > 1]:
        raise ValueError(f"values: {repeated[0]!r} is given {value_list.count(repeated[0])} times.")
    if not_numbers := [value for value in value_list if isinstance(value, float) and value != value]:
        raise ValueError(f"values: {not_numbers[0]!r} is no value.")
    return tuple(value_list)


def describe_library(name: str) -> str:
    """Return the name of a library with its version."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return name


def make_method_runner(
    swept: SweptMethod,
    counts: AnnData,
    *,
    batch_key: str,
    labels_key: str | None,
    layer: str | None,
    options: Mapping[str, Any],
    seed: int,
    depth: NDArray[Any] | None = None,
) -> Callable[[Any], NDArray[np.float32]]:
    """Return a function that runs a registered method at a value.

    The cells are read only once. ``depth`` holds the counts of each cell over all genes.
    """
    method: Method = get_method(swept.name)
    if method.reads_labels and labels_key is None:
        raise ValueError(f"method={swept.name!r} reads labels: name their column by labels_key=...")
    labels = parse_key(labels_key, "labels_key") if method.reads_labels else None
    cells = read_cells(counts, batch_key=batch_key, labels_key=labels, layer=layer, seed=seed, depth=depth)
    method.check_sizes(cells)

    def run(value: Any) -> NDArray[np.float32]:
        codes = run_method(method, cells, {**options, swept.knob: value})
        return read_codes(codes, counts.obs_names, swept.describe(value))

    return run


def make_function_runner(
    swept: SweptMethod, function: Callable[..., Any], adata: AnnData, options: Mapping[str, Any]
) -> Callable[[Any], NDArray[np.float32]]:
    """Return a function that calls the user's function with a copy of the cells and a value."""

    def run(value: Any) -> NDArray[np.float32]:
        # Each value gets its own copy, so that what the function writes does not reach the user's cells.
        cells = adata.to_memory() if adata.isbacked else adata.copy()
        return read_codes(function(cells, value, **options), adata.obs_names, swept.describe(value))

    return run
