"""Cases of faults, kind by kind: what a hostile or unlucky user does, and what is right then."""

from fault_cases._cases import CASES, Case, case

__all__ = ["CASES", "Case", "case"]
