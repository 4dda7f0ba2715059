"""Learn the whole trade-off curve between batch correction and biology."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scpareto import audit, bench, datasets, front, metrics, model, module, objectives, pareto, pl, pp, tl, train
    from scpareto.front import apply_point, fit_front

__version__ = version("scpareto")

__all__ = [
    "apply_point",
    "audit",
    "bench",
    "datasets",
    "fit_front",
    "metrics",
    "model",
    "objectives",
    "pareto",
    "pl",
    "pp",
    "tl",
]

_OF_FRONT = ("apply_point", "fit_front")
_ROOMS = {*__all__, "front", "module", "train"} - {*_OF_FRONT}


def __getattr__(name: str) -> Any:
    """Import a room when it is first used: PyTorch and scvi-tools take seconds, which ``scpareto --help`` has not."""
    if name in _OF_FRONT:
        return getattr(import_module("scpareto.front"), name)
    if name in _ROOMS:
        return import_module(f"scpareto.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_OF_FRONT})
