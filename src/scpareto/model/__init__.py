"""Models that a user holds."""

from scpareto.model._paretovi import ParetoVI
from scpareto.model._scinfovae import ScInfoVAE

__all__ = ["ParetoVI", "ScInfoVAE"]
