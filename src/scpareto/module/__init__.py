"""Networks that several models share."""

from scpareto.module._layers import LEAKY, Norm, Stack
from scpareto.module._likelihood import (
    SparseNegativeBinomial,
    SparseZeroInflatedNegativeBinomial,
    with_sparse_likelihood,
)
from scpareto.module._multiplicative_decoder import MultiplicativeDecoder
from scpareto.module._paretovae import ParetoVAE

__all__: list[str] = []
