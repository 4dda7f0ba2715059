"""Networks."""

from scpareto.module._infovae import InfoVAE
from scpareto.module._likelihood import SparseZeroInflatedNegativeBinomial
from scpareto.module._multiplicative_decoder import MultiplicativeDecoder
from scpareto.module._paretovae import ParetoVAE

__all__ = ["InfoVAE", "MultiplicativeDecoder", "ParetoVAE", "SparseZeroInflatedNegativeBinomial"]
