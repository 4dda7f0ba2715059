"""Models that a user holds."""

from scpareto.model._paretovi import ParetoVI

__all__ = ["ParetoVI"]
