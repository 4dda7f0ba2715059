"""What a benchmark runs: methods with their options, and the values of their knobs."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scpareto.bench._integrate import checked_method
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
        What sets it apart from other tasks of the same method, e.g. ``"theta=4"``; empty for its defaults.
    strength
        Value of the knob; NaN where it was not turned.
    """

    method: str
    options: dict[str, Any]
    setting: str = ""
    strength: float = float("nan")


def chosen_methods(methods: Sequence[str] | None, *, labels: bool) -> list[str]:
    """Return the methods that are asked for, or all whose library is installed and that need nothing that is not there.

    Parameters
    ----------
    methods
        Names, or None.
    labels
        Whether there are labels.
    """
    if methods is not None:
        return [get_method(name).name for name in dict.fromkeys(methods)]
    known = [get_method(name) for name in method_names()]
    return [m.name for m in known if m.installed and (labels or not m.reads_labels)]


def plan_tasks(
    chosen: list[str],
    options: Mapping[str, Mapping[str, Any]],
    sweeps: bool | Sequence[str] | Mapping[str, Sequence[float]],
) -> list[Task]:
    """Give each method its options, and one more task for each further value of a knob that is turned.

    Parameters
    ----------
    chosen
        Names of the methods.
    options, sweeps
        As in :class:`scpareto.bench.Benchmark`.

    Raises
    ------
    ValueError
        If an option, a method or a sweep is unknown.
    """
    knobs = {name: knob for name in chosen if (knob := get_method(name).knob) is not None}
    if isinstance(sweeps, bool):
        sweeps = list(knobs) if sweeps else []
    for name in {*options, *sweeps} - set(chosen):
        raise ValueError(f"{name!r} has options or a sweep but is not among the methods {', '.join(chosen)}.")
    for name in sweeps:
        if name not in knobs:
            raise ValueError(f"sweeps names {name!r}, which has no knob; those with one: {', '.join(knobs)}.")
    tasks = []
    for name in chosen:
        own = dict(options.get(name, {}))
        _check_options(name, own)
        tasks.append(Task(name, own, strength=_default_strength(name, own)))
        if name in sweeps:
            knob = knobs[name]
            grid = sweeps[name] if isinstance(sweeps, dict) else knob.grid
            tasks += [
                Task(name, own | {knob.option: value}, f"{knob.option}={value:g}", float(value))
                for value in grid
                if value != tasks[-1].strength
            ]
    return tasks


def _check_options(name: str, options: dict[str, Any]) -> None:
    try:
        checked_method(name, options)
    except ImportError:
        # The table will say that the library is missing; the others are run.
        return


def _default_strength(name: str, options: dict[str, Any]) -> float:
    method = get_method(name)
    if method.knob is None:
        return float("nan")
    default = inspect.signature(method.run).parameters[method.knob.option].default
    return float(options.get(method.knob.option, default))
