"""Networks."""

from scpareto.module._betatcvae import BetaTCVAEModule, GaussianDecoder
from scpareto.module._infovae import InfoVAE
from scpareto.module._layers import Stack
from scpareto.module._likelihood import SparseNegativeBinomial, SparseZeroInflatedNegativeBinomial
from scpareto.module._michigan import Critic, Generator, MichiGANModule, gradient_penalty
from scpareto.module._multiplicative_decoder import MultiplicativeDecoder
from scpareto.module._paretovae import ParetoVAE

__all__ = [
    "BetaTCVAEModule",
    "Critic",
    "GaussianDecoder",
    "Generator",
    "InfoVAE",
    "MichiGANModule",
    "MultiplicativeDecoder",
    "ParetoVAE",
    "SparseNegativeBinomial",
    "SparseZeroInflatedNegativeBinomial",
    "Stack",
    "gradient_penalty",
]
