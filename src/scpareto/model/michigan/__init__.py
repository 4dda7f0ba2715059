"""MichiGAN: its generator and critic, their training, and simple models to compare it with."""

from scpareto.model.michigan._coded_cells import CodedCells
from scpareto.model.michigan._critic import Critic, gradient_penalty
from scpareto.model.michigan._generator import Generator
from scpareto.model.michigan._latent_arithmetic import shifted_codes
from scpareto.model.michigan._model import MichiGAN
from scpareto.model.michigan._networks import MichiGANModule
from scpareto.model.michigan._probabilistic_pca import ExpressionMixture, ProbabilisticPCA
from scpareto.model.michigan._recipe import WassersteinRecipe
from scpareto.model.michigan._wasserstein import WassersteinTrainer, train_wasserstein

__all__ = ["MichiGAN"]
