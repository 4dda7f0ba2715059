"""A front of judged embeddings, with the columns and tables of a front that was trained."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._constants import BATCH_LEFT, GENERATIVE_LOSS
from scpareto.front import judged_columns, lost_columns, scale_of, stratified_halves
from scpareto.pareto import Front
from scpareto.tl._judge_ready import judge_ready

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from scpareto.tl._judge_ready import Judgement, Ready

_HALVES = ("first half", "second half")


def judged_front(
    ready: Ready,
    codes: Mapping[Any, NDArray[Any]],
    *,
    knob: str,
    sweep: Mapping[str, Any],
    columns: Mapping[str, Sequence[Any]],
    runs: pd.DataFrame,
    cell_names: Sequence[str],
    framed: tuple[Any, Any] | None = None,
    whole: Mapping[Any, NDArray[Any]] | None = None,
) -> Front:
    """Judge embeddings of the same cells and make a front of them.

    Parameters
    ----------
    ready
        The cells, and how they are judged.
    codes
        Codes of the judged cells by value, from the least to the strongest correcting.
    knob
        What the values are of.
    sweep
        What is known of the method.
    columns
        Further columns, one entry per value.
    runs
        What became of each value, those that failed included.
    cell_names
        Names of all cells.
    framed
        What the cells are judged by, where it was found before.
    whole
        Codes of all cells, which the front keeps.
    """
    named = {f"point {number}": own for number, own in enumerate(codes.values())}
    half = stratified_halves(ready.inputs.batch, ready.options.seed)
    parts = {name: np.flatnonzero(half == i) for i, name in enumerate(_HALVES)}
    taken = {name: np.asarray(own, dtype=np.float64) for name, own in named.items()}
    found = judge_ready(ready, taken, parts=parts, framed=framed)
    rows = _rows(found, list(named))
    kept = codes if whole is None else whole
    for number, value in enumerate(codes):
        further = {name: values[number] for name, values in columns.items()}
        rows[number] = {"point": number, "value": plain_value(value), **further, **rows[number]}
    return Front(
        pd.DataFrame(rows),
        objectives=[GENERATIVE_LOSS, knob],
        method=str(sweep.get("method", "")),
        metadata={
            "judged": _record(ready, found),
            "sweep": {"knob": knob, **sweep},
            "seed": ready.options.seed,
            "cell_names": list(map(str, cell_names)),
        },
        tables=_tables(found, list(named)) | {"runs": runs},
        codes={number: kept[value] for number, value in enumerate(codes)},
    )


def _rows(found: Judgement, names: list[str]) -> list[dict[str, Any]]:
    """Columns of each point: those of a front, then those of what was asked besides."""
    rows = judged_columns(found.judged, names, BATCH_LEFT)
    if found.answers.lost is not None:
        for name, row in lost_columns(found.answers.lost, names).items():
            rows[name] |= row
    for name in names:
        rows[name] |= {str(key): found.table.loc[name, key] for key in found.answers.columns.columns}
    if (genes := found.answers.record.get("control_genes")) is not None:
        for name, gene, kept in genes[["embedding", "gene", "kept"]].itertuples(index=False, name=None):
            if name in rows:
                rows[name][f"{gene}_kept"] = kept
    for name, rang, by in found.table[["alarm", "alarm_by"]].itertuples(name=None):
        # The alarm of whatever was asked: differences between cells, the condition, control genes.
        rows[str(name)] |= {"alarm": 1.0 if rang else 0.0, "alarm_by": by}
    return [rows[name] for name in names]


def _tables(found: Judgement, names: list[str]) -> dict[str, pd.DataFrame]:
    left, kept = found.left, found.kept
    tables = {"differences": left.differences, "populations": left.populations}
    halves = [found.judged.parts[name].left for name in _HALVES]
    tables["halves"] = pd.DataFrame(
        {"embedding": names}
        | {f"half_{i}": [own.value[name] for name in names] for i, own in enumerate(halves) if own is not None}
    )
    if kept is not None:
        tables |= {"differences_structure": kept.differences, "populations_structure": kept.per_population}
    if found.answers.lost is not None:
        tables["lost"] = found.answers.lost.table
    if (genes := found.answers.record.get("control_genes")) is not None:
        tables["control_genes"] = genes
    return tables


def _record(ready: Ready, found: Judgement) -> dict[str, Any]:
    record: dict[str, Any] = {
        "column": BATCH_LEFT,
        "n_cells": len(ready.inputs.batch),
        "held_out": False,
        "notes": [*ready.notes, *found.answers.notes, *found.left.notes],
        "seed": ready.options.seed,
    }
    if found.answers.lost is not None:
        record["smallest_population"] = float(found.answers.lost.smallest_population)
    return record | scale_of(found.left)


def plain_value(value: Any) -> Any:
    """Return a value of an option as a number or text."""
    return value if isinstance(value, bool | int | float | str) else str(value)


def warn_of_order(front: Front) -> None:
    """Say where the last value certainly leaves more of the batch than the first."""
    first, last = front.numbers[0], front.numbers[-1]
    table = front.tables["differences"]
    pair = table[(table["first"] == f"point {first}") & (table["second"] == f"point {last}")]
    if first != last and len(pair) and float(pair["high"].iloc[0]) < 0:
        values = front.table["value"].tolist()
        warnings.warn(
            f"{values[-1]!r} certainly leaves more of the batch than {values[0]!r}: values should go from the least "
            "to the strongest correcting, for the recommended point is the least corrected of those that are as good.",
            UserWarning,
            stacklevel=3,
        )
