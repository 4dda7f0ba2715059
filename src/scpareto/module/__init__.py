"""Networks."""

from scpareto.module._autoencoder import AutoencoderModule
from scpareto.module._betatcvae import BetaTCVAEModule, GaussianDecoder
from scpareto.module._desc import DescModule
from scpareto.module._infovae import InfoVAE
from scpareto.module._layers import Stack
from scpareto.module._likelihood import SparseNegativeBinomial, SparseZeroInflatedNegativeBinomial
from scpareto.module._michigan import Critic, Generator, MichiGANModule, gradient_penalty
from scpareto.module._multiplicative_decoder import MultiplicativeDecoder
from scpareto.module._paretovae import ParetoVAE
from scpareto.module._saucie import SaucieModule

__all__ = [
    "AutoencoderModule",
    "BetaTCVAEModule",
    "Critic",
    "DescModule",
    "GaussianDecoder",
    "Generator",
    "InfoVAE",
    "MichiGANModule",
    "MultiplicativeDecoder",
    "ParetoVAE",
    "SaucieModule",
    "SparseNegativeBinomial",
    "SparseZeroInflatedNegativeBinomial",
    "Stack",
    "gradient_penalty",
]
