"""Judge codes and fronts with fresh probes, never with the critics that trained them."""

from ._judge import judge_codes

__all__ = ["judge_codes"]
