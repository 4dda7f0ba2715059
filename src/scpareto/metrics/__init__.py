"""Numbers from arrays: what codes still tell about a label, and what they kept of the expression space."""

from ._neighborhood_retention import neighborhood_retention
from ._nn_mutual_information import nn_mutual_information
from ._probe import ProbeResult, probe_information

__all__ = ["ProbeResult", "neighborhood_retention", "nn_mutual_information", "probe_information"]
