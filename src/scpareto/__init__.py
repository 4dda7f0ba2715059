"""Learn the whole trade-off curve between batch correction and biology."""

from importlib.metadata import version

from scpareto import audit, bench, datasets, metrics, model, objectives, pareto, pl, pp, tl
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
