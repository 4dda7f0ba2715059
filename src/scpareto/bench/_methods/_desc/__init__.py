"""DESC: a stacked autoencoder whose codes are pulled to the clusters of a neighbourhood graph."""

from scpareto.bench._methods._desc._method import desc
from scpareto.bench._methods._desc._model import DESC

__all__ = ["DESC", "desc"]
