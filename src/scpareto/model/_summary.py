"""The text that a model with a front prints about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._constants import ALARM_FROM

if TYPE_CHECKING:
    from scpareto.pareto import Front


def summarize_model(model: Any) -> str:
    """Return class, data, front, selected and recommended point, and alarm of a model, one line each."""
    stats = model.summary_stats
    n_latent = model.module.n_latent
    title = f"{type(model).__name__}: {stats.n_cells:,} cells, {stats.n_vars:,} genes"
    title += f", {stats.n_batch} batches, {n_latent} latent dimensions"
    front = model.front
    if front is None or not len(front):
        return f"{title}\n  {'trained, without a front' if model.is_trained else 'not trained yet'}"
    return "\n".join([title, *(f"  {line}" for line in _summarize_front(front, model.selected))])


def _summarize_front(front: Front, selected: int | None) -> list[str]:
    recommended = front.recommended
    lines = [repr(front)]
    if selected is not None and selected != recommended:
        lines.append(f"selected: {_summarize_point(front, selected)}")
    label = "selected and recommended" if selected == recommended else "recommended"
    return [*lines, f"{label}: {_summarize_point(front, recommended)}", _summarize_alarms(front)]


def _summarize_point(front: Front, number: int) -> str:
    row = front.table.iloc[front.numbers.index(number)]
    column = str(front.metadata.get("judged", {}).get("column", "batch_left"))
    phrases = [f"point {number}"]
    quantities = {column: f"the {column.removesuffix('_left')} left", "structure_kept": "the structure kept"}
    for name, quantity in quantities.items():
        if name in row and np.isfinite(row[name]):
            low, high = (row.get(f"{name}_{bound}", np.nan) for bound in ("low", "high"))
            interval = f" ({low:.0f} to {high:.0f})" if np.isfinite([low, high]).all() else ""
            phrases.append(f"{row[name]:.0f} % of {quantity}{interval}")
    if row.get("alarm", 0) >= ALARM_FROM:
        phrases.append("its alarm rings")
    return ", ".join(phrases)


def _summarize_alarms(front: Front) -> str:
    alarm = front.table["alarm"]
    if not alarm.notna().any():
        return "over-correction alarm: not judged"
    alarm_points = [number for number, value in zip(front.numbers, alarm, strict=True) if value >= ALARM_FROM]
    if not alarm_points:
        return "over-correction alarm: silent at all points"
    return f"over-correction alarm: rings at point{'s' * (len(alarm_points) > 1)} {', '.join(map(str, alarm_points))}"
