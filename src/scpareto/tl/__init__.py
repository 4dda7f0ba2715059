"""Tools that act on an AnnData in one call, as scanpy's tools do."""

from scpareto.tl._cluster import cluster
from scpareto.tl._front_of import front_of
from scpareto.tl._integrate import integrate
from scpareto.tl._judge import judge
from scpareto.tl._lost import lost
from scpareto.tl._survives import survives
from scpareto.tl._sweep import sweep
from scpareto.tl._tables import control_genes, populations

__all__ = [
    "cluster",
    "control_genes",
    "front_of",
    "integrate",
    "judge",
    "lost",
    "populations",
    "survives",
    "sweep",
]
