"""What a model with a front says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._constants import ALARM_FROM

if TYPE_CHECKING:
    from scpareto.pareto import Front


def described(model: Any) -> str:
    """Class, data, front, selected and recommended point, and alarm of a model, a line each."""
    stats = model.summary_stats
    n_latent = model.module.n_latent
    first = f"{type(model).__name__}: {stats.n_cells:,} cells, {stats.n_vars:,} genes"
    first += f", {stats.n_batch} batches, {n_latent} latent dimensions"
    front = model.front
    if front is None or not len(front):
        return f"{first}\n  {'trained, without a front' if model.is_trained else 'not trained yet'}"
    return "\n".join([first, *(f"  {line}" for line in _of_front(front, model.selected))])


def _of_front(front: Front, selected: int | None) -> list[str]:
    recommended = front.recommended
    lines = [repr(front)]
    if selected is not None and selected != recommended:
        lines.append(f"selected: {_point(front, selected)}")
    named = "selected and recommended" if selected == recommended else "recommended"
    return [*lines, f"{named}: {_point(front, recommended)}", _alarms(front)]


def _point(front: Front, number: int) -> str:
    row = front.table.iloc[front.numbers.index(number)]
    column = str(front.metadata.get("judged", {}).get("column", "batch_left"))
    told = [f"point {number}"]
    for name, what in ((column, f"the {column.removesuffix('_left')} left"), ("structure_kept", "the structure kept")):
        if name in row and np.isfinite(row[name]):
            ends = [row.get(f"{name}_{end}", np.nan) for end in ("low", "high")]
            interval = f" ({ends[0]:.0f} to {ends[1]:.0f})" if np.isfinite(ends).all() else ""
            told.append(f"{row[name]:.0f} % of {what}{interval}")
    if row.get("alarm", 0) >= ALARM_FROM:
        told.append("its alarm rings")
    return ", ".join(told)


def _alarms(front: Front) -> str:
    alarm = front.table["alarm"]
    if not alarm.notna().any():
        return "over-correction alarm: not judged"
    rang = [number for number, value in zip(front.numbers, alarm, strict=True) if value >= ALARM_FROM]
    if not rang:
        return "over-correction alarm: silent at all points"
    return f"over-correction alarm: rings at point{'s' * (len(rang) > 1)} {', '.join(map(str, rang))}"
