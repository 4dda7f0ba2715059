"""SAUCIE's autoencoder with its batch penalty."""

from scpareto.bench._methods._saucie._method import saucie_mmd
from scpareto.bench._methods._saucie._model import SAUCIE

__all__ = ["SAUCIE", "saucie_mmd"]
