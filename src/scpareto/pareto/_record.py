"""Records of a front, or of one point, that can be stored in ``uns`` of an AnnData."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._constants import GENERATIVE_LOSS
from scpareto.pareto._auto import recommend
from scpareto.pareto._front import Front
from scpareto.pareto._judged import left_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from scpareto.pareto._front_data import FrontData

_ENDS = ("", "_low", "_high")
_TABLES = ("curve", "differences", "differences_structure", "halves", "populations", "populations_structure")
"""Tables that plots and the recommendation need. Lost differences would take most of the space."""
_METADATA = ("judged", "sweep")


def front_record(
    front: FrontData, method: str, selected: int | None, preference: Sequence[float] | None = None
) -> dict[str, Any]:
    """Return the record of a front and its selection, in types that h5ad can hold.

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
        "objectives": np.array(front.objectives, dtype=str),
        "front": _writable(front.to_dataframe()),
        "tables": {name: _writable(front.tables[name].copy()) for name in _TABLES if name in front.tables},
        **{name: _plain_values(front.metadata[name]) for name in _METADATA if name in front.metadata},
        "version": version("scpareto"),
    }


def front_from_record(record: Mapping[str, Any]) -> Front:
    """Rebuild a front, without its weights, from what :func:`front_record` wrote.

    Parameters
    ----------
    record
        The record, also after it was written to a file and read.

    Returns
    -------
    A front that recommends and is drawn as the one that was recorded; it names no lost genes.
    """
    table = record["front"].copy()
    table["seed"] = table["seed"].where(table["seed"] >= 0).astype("Int64")
    front = Front(
        table,
        objectives=[str(name) for name in record.get("objectives", (GENERATIVE_LOSS, record["objective"]))],
        method=str(record["method"]),
        metadata={name: _plain_values(record[name]) for name in _METADATA if name in record},
        tables={name: stored.copy() for name, stored in record.get("tables", {}).items()},
    )
    selected = int(record["selected"])
    front.selected = selected if selected in front.numbers else None
    return front


def place_record(front: FrontData, number: int, preference: Sequence[float] | None = None) -> dict[str, Any]:
    """Return the record of the point or place of some codes: its number and its judged values.

    Parameters
    ----------
    front
        The front.
    number
        Number of the point, or of the nearest one.
    preference
        Importance of each objective at the place. A place between points has no judged values.
    """
    row = front.numbers.index(number)
    record: dict[str, Any] = {"point": number}
    if preference:
        record["preference"] = np.array(preference)
        if not np.allclose(preference, front.preferences[row], equal_nan=True):
            return record | {"between_points": True, "recommended": False}
    record |= {"between_points": False, "recommended": number == recommend(front).number}
    columns = [f"{name}{end}" for name in (left_column(front), "structure_kept") for end in _ENDS]
    for name in [*columns, "alarm"]:
        if name in front.table and np.isfinite(value := float(front.table[name].iloc[row])):
            record[name] = value
    return record


def _writable(table: pd.DataFrame) -> pd.DataFrame:
    if "seed" in table:
        table["seed"] = table["seed"].astype(float).fillna(-1).astype(int)
    for column in table.select_dtypes(["object", "string"]):
        # h5ad holds no gaps in text.
        table[column] = table[column].astype(object).fillna("").astype(str)
    return table


def _plain_values(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers, booleans and strings of a record, without None (which h5ad cannot hold) and nested values."""
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in record.items()}
    return {name: value for name, value in plain.items() if isinstance(value, bool | int | float | str)}
