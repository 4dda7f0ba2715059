"""Sweeps in words: fronts whose points are values of one option of a method."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scpareto.pareto._front_data import FrontData


def sweep_record(front: FrontData) -> dict[str, Any] | None:
    """Return method, option and values of a sweep, from ``metadata["sweep"]``; None for a front that was trained."""
    return front.metadata.get("sweep")


def value_in_words(front: FrontData, number: int) -> str:
    """Value of the option at a point, such as ``"theta 2"``; empty for a front that was trained."""
    record = sweep_record(front)
    if record is None or "value" not in front.table:
        return ""
    value = front.table["value"].iloc[front.numbers.index(number)]
    text = f"{value:g}" if isinstance(value, Real) else str(value)
    return f"{record['knob']} {text}"


def sweep_in_words(front: FrontData) -> str:
    """Name a sweep, such as ``"Front of theta by harmony (harmonypy 2.1.0)"``; empty for a front that was trained."""
    record = sweep_record(front)
    if record is None:
        return ""
    library = f" ({record['library']})" if record.get("library") else ""
    by = f" by {record['method']}" if record.get("method") else ""
    return f"Front of {record['knob']}{by}{library}"


def failed_in_words(front: FrontData) -> str:
    """Name the values that failed, with the reason; empty where none did."""
    failed = (sweep_record(front) or {}).get("failed", {})
    return "; ".join(f"{value}: {reason}" for value, reason in failed.items())
