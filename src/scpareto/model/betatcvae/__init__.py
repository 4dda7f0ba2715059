"""BetaTCVAE: its network and its training."""

from scpareto.model.betatcvae._model import BetaTCVAE
from scpareto.model.betatcvae._network import BetaTCVAEModule, GaussianDecoder
from scpareto.model.betatcvae._plan import TotalCorrelationPlan

__all__ = ["BetaTCVAE"]
