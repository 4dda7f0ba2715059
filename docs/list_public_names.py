"""Write one API page per room and per folder of one model from ``__all__``, so that the API pages are complete."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

# The order in which a user meets the rooms; a room that is not listed comes last.
ORDER = (
    "tl",
    "model",
    "datasets",
    "pareto",
    "objectives",
    "metrics",
    "pl",
    "pp",
    "front",
    "train",
    "bench",
)
TITLES = {
    "tl": "Tools",
    "model": "Models",
    "datasets": "Simulated datasets",
    "pareto": "Fronts, preferences and solvers",
    "objectives": "Objectives",
    "metrics": "Metrics",
    "pl": "Plots",
    "pp": "Preparation",
    "front": "Learning a front",
    "train": "Training",
    "bench": "Benchmark",
}


def rooms() -> list[str]:
    """Return the names of the public subpackages, in the order of the pages."""
    package = importlib.import_module("scpareto")
    found = [m.name for m in pkgutil.iter_modules(package.__path__) if m.ispkg and not m.name.startswith("_")]
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def folders(room: ModuleType) -> dict[str, ModuleType]:
    """Return the public subpackages of a room, such as the folder of one model, by name."""
    names = [m.name for m in pkgutil.iter_modules(room.__path__) if m.ispkg and not m.name.startswith("_")]
    return {name: importlib.import_module(f"{room.__name__}.{name}") for name in names}


def returned(module: ModuleType, names: list[str]) -> list[str]:
    """Return the classes of a room that its public functions return and that are not public themselves."""
    routines = (getattr(module, name) for name in names if inspect.isroutine(getattr(module, name)))
    hints = {str(routine.__annotations__.get("return")) for routine in routines}
    return sorted(hint for hint in hints - {*names} if inspect.isclass(getattr(module, hint, None)))


def by_name(module: ModuleType, names: list[str]) -> list[str]:
    """Return the classes that a room hands out by name, such as objectives."""
    if "objective_names" not in names:
        return []
    return sorted({module.objective_class(name).__name__ for name in module.objective_names()} - {*names})


def page(title: str, module: ModuleType, names: list[str], *, stubs: str) -> str:
    """Return a MyST page: the first paragraph of the module's docstring and a table of its names."""
    summary = (inspect.getdoc(module) or "").split("\n\n")[0]
    lines = [f"# {title}", "", summary, "", "```{eval-rst}", f".. currentmodule:: {module.__name__}", ""]
    for heading, chosen in (
        ("Classes", [n for n in names if inspect.isclass(getattr(module, n))]),
        ("Functions", [n for n in names if inspect.isroutine(getattr(module, n))]),
        ("Data", [n for n in names if not callable(getattr(module, n))]),
        ("By name", by_name(module, names)),
        ("Results", returned(module, names)),
    ):
        if chosen:
            lines += [f".. rubric:: {heading}", "", ".. autosummary::", f"   :toctree: {stubs}", ""]
            lines += [f"   {name}" for name in chosen] + [""]
    return "\n".join([*lines, "```", ""])


def write_pages(folder: Path) -> None:
    """Write ``<folder>/<number>_<room>.md`` for every room with public names, and likewise for the folders inside it.

    Pages of rooms that left are removed.

    Parameters
    ----------
    folder
        Where the pages go. ``docs/api.md`` lists them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    package = importlib.import_module("scpareto")
    top = [n for n in getattr(package, "__all__", ()) if not inspect.ismodule(getattr(package, n)) and n[0] != "_"]
    pages = {"00_scpareto.md": page("scpareto", package, top, stubs="objects")} if top else {}
    for number, room in enumerate(rooms(), start=1):
        module = importlib.import_module(f"scpareto.{room}")
        if names := list(getattr(module, "__all__", ())):
            pages[f"{number:02d}_{room}.md"] = page(TITLES.get(room, room), module, names, stubs="objects")
        for folder_name, inner in folders(module).items():
            # What the room itself lists stands on the page of the room.
            if names := [n for n in getattr(inner, "__all__", ()) if n not in getattr(module, "__all__", ())]:
                title = TITLES.get(f"{room}.{folder_name}", f"{room}.{folder_name}")
                pages[f"{number:02d}_{room}_{folder_name}.md"] = page(title, inner, names, stubs="objects")
    for old in set(folder.glob("*.md")) - {folder / name for name in pages}:
        old.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
