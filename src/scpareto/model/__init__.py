"""Models that a user holds."""

from scpareto.model._betatcvae import BetaTCVAE
from scpareto.model._latent_arithmetic import shifted_codes
from scpareto.model._michigan import MichiGAN
from scpareto.model._paretovi import ParetoVI
from scpareto.model._plain_saving import PlainSavingMixin
from scpareto.model._probabilistic_pca import ExpressionMixture, ProbabilisticPCA
from scpareto.model._scinfovae import ScInfoVAE

__all__ = ["BetaTCVAE", "ExpressionMixture", "MichiGAN", "ParetoVI", "ProbabilisticPCA", "ScInfoVAE", "shifted_codes"]
