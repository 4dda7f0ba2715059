"""Pictures of a front: from a table and arrays, never from models."""

from ._embed import embed
from ._embedding import front_embedding
from ._front import front, front_panels
from ._metrics import metrics_along_front

__all__ = ["embed", "front", "front_embedding", "front_panels", "metrics_along_front"]
