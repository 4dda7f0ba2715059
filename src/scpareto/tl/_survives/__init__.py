"""Which findings hold at every defensible strength of correction."""

from scpareto.tl._survives._survives import survives

__all__ = ["survives"]
