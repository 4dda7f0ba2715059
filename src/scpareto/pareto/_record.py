"""A front, and a point of it, as records that ``uns`` of annotated data can hold."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto.pareto._auto import recommend
from scpareto.pareto._judged import left_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from scpareto.pareto._front_data import FrontData

_ENDS = ("", "_low", "_high")


def front_record(
    front: FrontData, method: str, selected: int | None, preference: Sequence[float] | None = None
) -> dict[str, Any]:
    """Front and selection, in types that h5ad can hold.

    Parameters
    ----------
    front
        The front.
    method
        How it was made.
    selected
        Number of the selected point; None where there is none.
    preference
        Importance of each objective there.
    """
    return {
        "method": method,
        "objective": ", ".join(front.objectives[1:]),
        "selected": int(-1 if selected is None else selected),
        "recommended": recommend(front).number if len(front) else -1,
        "preference": np.array(preference or []),
        "front": _writable(front.to_dataframe()),
        "version": version("scpareto"),
    }


def place_record(front: FrontData, number: int, preference: Sequence[float] | None = None) -> dict[str, Any]:
    """Say what codes are of: number of the point, and what was judged of it.

    Parameters
    ----------
    front
        The front.
    number
        Number of the point, or of the nearest one.
    preference
        Importance of each objective at the place, which may lie between points. Nothing was judged there.
    """
    row = front.numbers.index(number)
    facts: dict[str, Any] = {"point": number}
    if preference:
        facts["preference"] = np.array(preference)
        if not np.allclose(preference, front.preferences[row], equal_nan=True):
            return facts | {"between_points": True, "recommended": False}
    facts |= {"between_points": False, "recommended": number == recommend(front).number}
    columns = [f"{name}{end}" for name in (left_column(front), "structure_kept") for end in _ENDS]
    for name in [*columns, "alarm"]:
        if name in front.table and np.isfinite(value := float(front.table[name].iloc[row])):
            facts[name] = value
    return facts


def _writable(table: pd.DataFrame) -> pd.DataFrame:
    table["seed"] = table["seed"].astype(float).fillna(-1).astype(int)
    for column in table.select_dtypes(["object", "string"]):
        # h5ad holds no gaps in text.
        table[column] = table[column].astype(object).fillna("").astype(str)
    return table
