"""Models that a user holds."""

from scpareto.model._paretovi import ParetoVI
from scpareto.model._plain_saving import PlainSavingMixin
from scpareto.model.betatcvae import BetaTCVAE
from scpareto.model.michigan import ExpressionMixture, MichiGAN, ProbabilisticPCA, shifted_codes
from scpareto.model.scinfovae import ScInfoVAE

__all__ = ["BetaTCVAE", "MichiGAN", "ParetoVI", "ScInfoVAE", "shifted_codes"]
