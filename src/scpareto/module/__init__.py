"""Networks that several models share."""

from scpareto.module._autoencoder import AutoencoderModule
from scpareto.module._desc import DescModule
from scpareto.module._layers import LEAKY, Norm, Stack  # noqa: F401 - for the networks of single models
from scpareto.module._likelihood import (
    SparseNegativeBinomial,
    SparseZeroInflatedNegativeBinomial,
    with_sparse_likelihood,  # noqa: F401 - for the networks of single models
)
from scpareto.module._multiplicative_decoder import MultiplicativeDecoder
from scpareto.module._paretovae import ParetoVAE
from scpareto.module._saucie import SaucieModule

__all__ = [
    "AutoencoderModule",
    "DescModule",
    "MultiplicativeDecoder",
    "ParetoVAE",
    "SaucieModule",
    "SparseNegativeBinomial",
    "SparseZeroInflatedNegativeBinomial",
    "Stack",
]
