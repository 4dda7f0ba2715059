"""A front as a small table for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from scpareto._constants import STRUCTURE_KEPT
from scpareto.pareto._auto import recommend
from scpareto.pareto._judged import alarm_mask, is_judged, left_column
from scpareto.pareto._sweep import sweep_record, value_in_words
from scpareto.pareto._table import loss_columns, preference_columns

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.pareto._front_data import FrontData

_MAX_COLUMNS = 8
_MAX_TEXT_LENGTH = 60


def front_html(front: FrontData, selected: int | None) -> str:
    """Return a table of about eight columns, in which the recommended and the selected point are marked.

    Parameters
    ----------
    front
        The front.
    selected
        Number of the selected point; None where there is none.
    """
    title = f"<p>{escape(repr(front))}</p>"
    if not len(front):
        return title
    columns = _columns(front)
    recommended, numbers = recommend(front).number, front.numbers
    marks = [
        ", ".join(word for word, one in (("recommended", recommended), ("selected", selected)) if one == number)
        for number in numbers
    ]
    columns = dict(list(columns.items())[: _MAX_COLUMNS - 1]) | {"": marks}
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = []
    for row in range(len(numbers)):
        cells = "".join(f"<td>{escape(values[row])}</td>" for values in columns.values())
        rows.append(f'<tr style="font-weight: bold">{cells}</tr>' if marks[row] else f"<tr>{cells}</tr>")
    more = "<p>front.to_dataframe() has all columns; front.explain() says why the point is recommended.</p>"
    return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}"


def _columns(front: FrontData) -> dict[str, list[str]]:
    """Return the text of each column; columns to choose by come first."""
    table, numbers = front.table, front.numbers
    shown: dict[str, list[str]] = {"point": [str(number) for number in numbers]}
    record = sweep_record(front)
    if record is not None:
        shown[record["knob"]] = [value_in_words(front, n).removeprefix(f"{record['knob']} ") for n in numbers]
    if is_judged(front):
        left = left_column(front)
        shown[f"{left.replace('_', ' ')} (%)"] = _percent(table, left)
        shown["structure kept (%)"] = _percent(table, STRUCTURE_KEPT)
        shown["alarm"] = ["rings" if is_ringing else "silent" for is_ringing in alarm_mask(front)]
        if "structure_lost_most" in table:
            lost = table["structure_lost_most"].tolist()
            shown["most of all lost"] = [
                _shorten(text) if is_ringing else "" for text, is_ringing in zip(lost, alarm_mask(front), strict=True)
            ]
    else:
        for name in preference_columns(front.objectives)[1:]:
            shown[name.replace("_", " ")] = _numbers(table[name])
    shown["not dominated"] = ["yes" if is_non_dominated else "" for is_non_dominated in table["non_dominated"]]
    other_columns = ["scib_total", "seconds"] if record is not None else loss_columns(front.objectives, "test")
    for name in other_columns:
        if name in table and table[name].notna().any():
            shown[name.replace("_", " ")] = _numbers(table[name])
    return shown


def _percent(table: pd.DataFrame, column: str) -> list[str]:
    low, high = (table.get(f"{column}_{end}") for end in ("low", "high"))
    texts = []
    for row, value in enumerate(table[column].to_numpy(dtype=float)):
        ends = "" if low is None or high is None else f" ({low.iloc[row]:.0f} to {high.iloc[row]:.0f})"
        texts.append(f"{value:.1f}{'' if 'nan' in ends else ends}" if np.isfinite(value) else "")
    return texts


def _numbers(values: pd.Series) -> list[str]:
    return [f"{value:.4g}" if np.isfinite(value) else "" for value in values.to_numpy(dtype=float)]


def _shorten(text: object) -> str:
    string = str(text)
    return string if len(string) <= _MAX_TEXT_LENGTH else f"{string[:_MAX_TEXT_LENGTH]}..."
