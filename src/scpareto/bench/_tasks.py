"""Tasks of a benchmark: methods with their options and the values of their knobs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scpareto.bench._integrate import find_method
from scpareto.bench._registry import get_method, method_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Task:
    """A method with its options, to be run once for each seed.

    Parameters
    ----------
    method
        Name of the method.
    options
        Its options.
    setting
        Difference from the defaults of the method, e.g. ``"theta=4"``; empty for the defaults.
    strength
        Value of the knob; NaN without knob.
    """

    method: str
    options: dict[str, Any]
    setting: str = ""
    strength: float = float("nan")


def select_methods(methods: Sequence[str] | None, *, labels: bool) -> list[str]:
    """Return the requested methods, or all that are installed and whose inputs are available.

    Parameters
    ----------
    methods
        Names, or None.
    labels
        Whether labels are available.
    """
    if methods is not None:
        return [get_method(name).name for name in dict.fromkeys(methods)]
    registered = [get_method(name) for name in method_names()]
    return [m.name for m in registered if m.installed and (labels or not m.reads_labels)]


def plan_tasks(
    methods: list[str],
    options: Mapping[str, Mapping[str, Any]],
    sweeps: bool | Sequence[str] | Mapping[str, Sequence[float]],
) -> list[Task]:
    """Make one task per method, and one more for each further value of a swept knob.

    Parameters
    ----------
    methods
        Names of the methods.
    options, sweeps
        As in :class:`scpareto.bench.Benchmark`.

    Raises
    ------
    ValueError
        If an option, a method or a sweep is unknown.
    """
    knobs = {name: knob for name in methods if (knob := get_method(name).knob) is not None}
    if isinstance(sweeps, bool):
        sweeps = list(knobs) if sweeps else []
    for name in {*options, *sweeps} - set(methods):
        raise ValueError(f"{name!r} has options or a sweep but is not among the methods {', '.join(methods)}.")
    for name in sweeps:
        if name not in knobs:
            raise ValueError(f"sweeps names {name!r}, which has no knob; those with one: {', '.join(knobs)}.")
    tasks = []
    for name in methods:
        method_options = dict(options.get(name, {}))
        _check_options(name, method_options)
        tasks.append(Task(name, method_options, strength=_default_strength(name, method_options)))
        if name in sweeps:
            knob = knobs[name]
            grid = sweeps[name] if isinstance(sweeps, dict) else knob.grid
            tasks += [
                Task(name, method_options | {knob.option: value}, f"{knob.option}={value:g}", float(value))
                for value in grid
                if value != tasks[-1].strength
            ]
    return tasks


def _check_options(name: str, options: dict[str, Any]) -> None:
    try:
        find_method(name, options)
    except ImportError:
        # The table reports the missing library; the other methods are run.
        return


def _default_strength(name: str, options: dict[str, Any]) -> float:
    method = get_method(name)
    if method.knob is None:
        return float("nan")
    default = inspect.signature(method.run).parameters[method.knob.option].default
    return float(options.get(method.knob.option, default))
