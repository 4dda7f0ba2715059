"""Networks."""

from scpareto.module._likelihood import SparseZeroInflatedNegativeBinomial
from scpareto.module._paretovae import ParetoVAE

__all__ = ["ParetoVAE", "SparseZeroInflatedNegativeBinomial"]
