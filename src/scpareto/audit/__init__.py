"""Judge codes and fronts with fresh probes, never with the critics that trained them."""

from ._alarm import Structure, alarm, measure_structure
from ._judge import judge_codes

__all__ = ["Structure", "alarm", "judge_codes", "measure_structure"]
