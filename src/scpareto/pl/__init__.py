"""Plot a front, from the front itself, the model or the AnnData that holds it, in the style of scanpy's plots."""

from scpareto.pl._batch_effects import batch_effects
from scpareto.pl._curve import curve
from scpareto.pl._disentanglement import disentanglement
from scpareto.pl._embed import embed
from scpareto.pl._embedding import front_embedding
from scpareto.pl._explorer import explorer
from scpareto.pl._front import front, front_panels
from scpareto.pl._judge import judge
from scpareto.pl._judge_populations import judge_populations
from scpareto.pl._metrics import metrics_along_front
from scpareto.pl._populations import front_populations
from scpareto.pl._survives import survives
from scpareto.pl._table import is_higher_better
from scpareto.pl._traversal import traversal

__all__ = [
    "batch_effects",
    "curve",
    "disentanglement",
    "embed",
    "explorer",
    "front",
    "front_embedding",
    "front_panels",
    "front_populations",
    "judge",
    "judge_populations",
    "metrics_along_front",
    "survives",
    "traversal",
]
