"""Networks."""

from scpareto.module._likelihood import SparseZeroInflatedNegativeBinomial
from scpareto.module._multiplicative_decoder import MultiplicativeDecoder
from scpareto.module._paretovae import ParetoVAE

__all__ = ["MultiplicativeDecoder", "ParetoVAE", "SparseZeroInflatedNegativeBinomial"]
