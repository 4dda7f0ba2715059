"""Table of the points of a front for the terminal: batch left, structure kept and losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from scpareto._constants import ALARM_FROM, BATCH_LEFT, STRUCTURE_KEPT

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.pareto import Front

SCIB = ("scib_bio", "scib_batch", "scib_total")
"""Columns that need labels."""
_N_GENES = 3


def make_table(front: Front, selected: int | None) -> Table:
    """Return a table with one row per point; losses and information in nats are in ``front.csv``.

    Parameters
    ----------
    front
        The front.
    selected
        Number of the selected point.
    """
    record = front.metadata.get("judged", {})
    left_column = str(record.get("column", BATCH_LEFT))
    cells = "held-out cells" if record.get("held_out", True) else "all cells, those that trained the model included"
    caption = "* not dominated; alarm: genes of lost differences between cells"
    printed = Table(title=f"Pareto front ({cells}, 95 % intervals)", caption=caption, padding=(0, 1), pad_edge=False)
    for heading in ("point", f"{left_column.replace('_', ' ')} (%)", "structure kept (%)"):
        printed.add_column(heading, justify="right")
    printed.add_column("alarm", overflow="fold")
    table = front.to_dataframe()
    scores = [name for name in SCIB if name in table and table[name].notna().any()]
    for name in scores:
        printed.add_column(name.replace("_", " "), justify="right")
    printed.add_column("", overflow="fold")
    recommended = front.recommended
    for _, row in table.iterrows():
        number = int(row["point"])
        marks = {"recommended": number == recommended, "selected": number == selected}
        printed.add_row(
            ("*" if row["non_dominated"] else "") + f" {number}",
            _format_with_interval(row, left_column),
            _format_with_interval(row, STRUCTURE_KEPT),
            escape(summarize_alarm(front, number)),
            *(format_score(row[name]) for name in scores),
            ", ".join(name for name, applies in marks.items() if applies),
            style="bold" if number == selected else None,
        )
    return printed


def summarize_alarm(front: Front, number: int) -> str:
    """Return up to three marker genes of the lost differences of a point, ``"-"`` if the alarm is silent.

    Parameters
    ----------
    front
        The front.
    number
        Number of the point.
    """
    table = front.to_dataframe().set_index("point")
    value = table["alarm"][number]
    if value != value:
        return "unknown"
    if value < ALARM_FROM:
        return "-"
    lost = front.lost(number) if "lost" in front.tables else table.iloc[:0]
    marker_lists = [row[side] for _, row in lost.iterrows() for side in ("markers_first", "markers_second")]
    genes = list(dict.fromkeys(gene for side in marker_lists if side for gene in side.split(", ")))
    return ", ".join(genes[:_N_GENES]) if genes else "rings"


def format_score(value: float) -> str:
    """Return a score between 0 and 1 as text, empty for NaN.

    Parameters
    ----------
    value
        The score.
    """
    return f"{value:.3f}" if value == value else ""


def _format_with_interval(row: pd.Series, column: str) -> str:
    if column not in row or row[column] != row[column]:
        return "unknown"
    low, high = (row.get(f"{column}_{end}", float("nan")) for end in ("low", "high"))
    return f"{row[column]:.0f}" + (f" ({low:.0f} to {high:.0f})" if low == low else "")
