"""What is public resolves, is documented, and can be found under the name that the design promises."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING

import pytest

import scpareto

if TYPE_CHECKING:
    from collections.abc import Iterable


def packages_in(path: Iterable[str]) -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(path) if m.ispkg and not m.name.startswith("_"))


TOP = packages_in(scpareto.__path__)
# A room may hold a folder for each of its models.
ROOMS = [*TOP, *(f"{room}.{name}" for room in TOP for name in packages_in([f"{scpareto.__path__[0]}/{room}"]))]

# What users import; `cli` is reached through the command `scpareto`.
PROMISED = {
    "": ("fit_front", "apply_point"),
    "tl": ("cluster", "control_genes", "front_of", "integrate", "judge", "lost", "populations", "sweep"),
    "bench": ("Benchmark", "DESC", "SAUCIE", "integrate", "methods"),
    "datasets": (
        "simulate_batches",
        "simulate_branches",
        "simulate_multiplicative",
        "simulate_perturbations",
        "simulate_splatter",
    ),
    "metrics": ("batch_entropy", "clustering_scores", "silhouette", "unsupervised_clustering_accuracy"),
    "model": ("BetaTCVAE", "MichiGAN", "ParetoVI", "ScInfoVAE"),
    "objectives": ("get_objective",),
    "pareto": (
        "Front",
        "get_solver",
        "hypervolume",
        "non_dominated",
        "number_of_distinct_choices",
        "preference_vectors",
    ),
    "pl": (
        "batch_effects",
        "disentanglement",
        "explorer",
        "front",
        "front_embedding",
        "judge",
        "judge_populations",
        "metrics_along_front",
        "traversal",
    ),
    "pp": (
        "adjust_counts",
        "counterfactual_counts",
        "intersect_genes",
        "normalize_gene_lengths",
        "prepare_scinfovae",
    ),
}


MOST_NAMES = 90
"""A user reads the whole list; what only other rooms need stays out of ``__all__``."""


def load(room: str):
    return importlib.import_module(f"scpareto.{room}" if room else "scpareto")


def public_callables(room: str) -> dict[str, object]:
    """Return the public classes and functions of a room; constants and type aliases have no docstring of their own."""
    module = load(room)
    things = {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    return {name: thing for name, thing in things.items() if inspect.isclass(thing) or inspect.isroutine(thing)}


def is_passed_over(thing: object) -> bool:
    """Whether doctest takes a function to be one of another module, because its decorator is."""
    return inspect.isfunction(thing) and thing.__globals__ is not vars(importlib.import_module(thing.__module__))


def undocumented(thing: object) -> bool:
    """Whether a class or function has no docstring of its own (an inherited one does not count for a class)."""
    if inspect.isclass(thing):
        return not (thing.__doc__ or "").strip()
    return inspect.isroutine(thing) and not inspect.getdoc(thing)


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_all_is_complete_and_resolves(room):
    module = load(room)
    assert (module.__doc__ or "").strip(), f"{module.__name__} has no docstring"
    names = getattr(module, "__all__", None)
    assert names is not None, f"{module.__name__} has no __all__"
    assert len(set(names)) == len(names), f"{module.__name__}.__all__ names something twice"
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing, f"{module.__name__}.__all__ names what is not there: {missing}"


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_public_names_are_documented(room):
    module = load(room)
    bare = [name for name in getattr(module, "__all__", ()) if undocumented(getattr(module, name, None))]
    assert not bare, f"public names of {module.__name__} without a docstring: {bare}"


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_own_public_methods_are_documented(room):
    """Methods that a public class defines itself; inherited ones are documented where they are written."""
    module = load(room)
    bare = []
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name, None)
        if not inspect.isclass(thing) or not thing.__module__.startswith("scpareto"):
            continue
        for method, value in vars(thing).items():
            if method.startswith("_") or not (inspect.isroutine(value) or isinstance(value, property)):
                continue
            if not inspect.getdoc(getattr(thing, method)):
                bare.append(f"{name}.{method}")
    assert not bare, f"methods of {module.__name__} without a docstring: {bare}"


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_public_names_have_examples(room):
    things = public_callables(room)
    bare = [name for name, thing in things.items() if ">>>" not in (getattr(thing, "__doc__", None) or "")]
    assert not bare, f"public names of {load(room).__name__} without an example: {bare}"


@pytest.mark.parametrize(
    ("room", "name"),
    [(r, n) for r in ["", *ROOMS] for n, thing in public_callables(r).items() if is_passed_over(thing)],
)
def test_examples_behind_a_decorator_run(room, name):
    """Examples of functions that the collection of doctests passes over."""
    thing = getattr(load(room), name)
    names = dict(vars(importlib.import_module(thing.__module__)))
    example = doctest.DocTestParser().get_doctest(thing.__doc__, names, name, None, None)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    report: list[str] = []
    assert not doctest.DocTestRunner(optionflags=options).run(example, out=report.append).failed, "".join(report)


@pytest.mark.parametrize("room", PROMISED)
def test_promised_names_are_exported(room):
    """A name of the design that exists in its room is in that room's ``__all__``."""
    if room and room not in ROOMS:
        return  # the room has no inhabitant yet
    module = load(room)
    listed = getattr(module, "__all__", ())
    exists = {name for name in PROMISED[room] if hasattr(module, name) and not inspect.ismodule(getattr(module, name))}
    assert exists <= set(listed), f"not in {module.__name__}.__all__: {sorted(exists - set(listed))}"


def test_the_list_of_names_can_be_read():
    names = {(room, name) for room in ROOMS for name in load(room).__all__ if name not in ROOMS}
    doubled = {(room, name) for room, name in names if "." in room and name in load(room.split(".")[0]).__all__}
    assert len(names - doubled) <= MOST_NAMES


def test_every_room_is_reached_from_the_package():
    assert set(TOP) <= set(dir(scpareto)), "import scpareto as sp gives every room"


def test_what_one_model_uses_stays_in_its_folder():
    """What is trained once stays in `train`, what several models share in `module`."""
    shared = {name for room in ("train", "module") for name in load(room).__all__}
    for room in ("model.betatcvae", "model.michigan", "model.scinfovae"):
        assert not shared & set(load(room).__all__)
