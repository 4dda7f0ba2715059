"""ScInfoVAE: its network, the weights of its objective, and its training in two phases."""

from scpareto.model.scinfovae._generalisability import generalisability
from scpareto.model.scinfovae._model import ScInfoVAE
from scpareto.model.scinfovae._network import InfoVAE
from scpareto.model.scinfovae._plan import InfoVAEPlan
from scpareto.model.scinfovae._two_phases import TwoPhases
from scpareto.model.scinfovae._weights import InfoVAEWeights

__all__ = ["ScInfoVAE"]
