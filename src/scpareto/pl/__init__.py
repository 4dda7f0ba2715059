"""Pictures of a front, of the model that holds it or of the cells in which it was noted, as scanpy's are drawn."""

from ._batch_effects import batch_effects
from ._curve import curve
from ._disentanglement import disentanglement
from ._embed import embed
from ._embedding import front_embedding
from ._explorer import explorer
from ._front import front, front_panels
from ._judge import judge
from ._judge_populations import judge_populations
from ._metrics import metrics_along_front
from ._populations import front_populations
from ._survives import survives
from ._table import is_higher_better
from ._traversal import traversal

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
