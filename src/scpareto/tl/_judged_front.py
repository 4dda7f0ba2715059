"""Make a front of judged embeddings, with the columns and tables of a trained front."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._constants import BATCH_LEFT, GENERATIVE_LOSS
from scpareto.front import describe_axis, make_alarm_columns, make_score_columns, stratified_halves
from scpareto.pareto import Front
from scpareto.tl._judge_task import run_judge_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from scpareto.tl._judge_task import Judgement, JudgeTask

_HALVES = ("first half", "second half")


def make_judged_front(
    task: JudgeTask,
    codes: Mapping[Any, NDArray[Any]],
    *,
    knob: str,
    sweep: Mapping[str, Any],
    columns: Mapping[str, Sequence[Any]],
    runs: pd.DataFrame,
    cell_names: Sequence[str],
    frame_and_counts: tuple[Any, Any] | None = None,
    all_codes: Mapping[Any, NDArray[Any]] | None = None,
) -> Front:
    """Judge embeddings of the same cells and make a front of them.

    Parameters
    ----------
    task
        Cells, arrays and options of the judge.
    codes
        Codes of the judged cells by value, from the weakest to the strongest correction.
    knob
        Name of the option that the values belong to.
    sweep
        Metadata of the method.
    columns
        Further columns, one entry per value.
    runs
        One row per value, those that failed included.
    cell_names
        Names of all cells.
    frame_and_counts
        Result of :func:`~scpareto.tl._judge_task.compute_frame`, if it was computed before.
    all_codes
        Codes of all cells, which the front keeps.
    """
    named = {f"point {number}": z for number, z in enumerate(codes.values())}
    half = stratified_halves(task.inputs.batch, task.options.seed)
    halves = {name: np.flatnonzero(half == i) for i, name in enumerate(_HALVES)}
    codes_by_name = {name: np.asarray(z, dtype=np.float64) for name, z in named.items()}
    judgement = run_judge_task(task, codes_by_name, subsets=halves, frame_and_counts=frame_and_counts)
    rows = _rows(judgement, list(named))
    kept = codes if all_codes is None else all_codes
    for number, value in enumerate(codes):
        extra = {name: values[number] for name, values in columns.items()}
        rows[number] = {"point": number, "value": plain_value(value), **extra, **rows[number]}
    return Front(
        pd.DataFrame(rows),
        objectives=[GENERATIVE_LOSS, knob],
        method=str(sweep.get("method", "")),
        metadata={
            "judged": _record(task, judgement),
            "sweep": {"knob": knob, **sweep},
            "seed": task.options.seed,
            "cell_names": list(map(str, cell_names)),
        },
        tables=_tables(judgement, list(named)) | {"runs": runs},
        codes={number: kept[value] for number, value in enumerate(codes)},
    )


def _rows(judgement: Judgement, names: list[str]) -> list[dict[str, Any]]:
    """Return the columns of each point: those of a front, then those of the criteria."""
    rows = make_score_columns(judgement.judged, names, BATCH_LEFT)
    if judgement.results.lost is not None:
        for name, row in make_alarm_columns(judgement.results.lost, names).items():
            rows[name] |= row
    for name in names:
        rows[name] |= {str(key): judgement.table.loc[name, key] for key in judgement.results.columns.columns}
    if (genes := judgement.results.record.get("control_genes")) is not None:
        for name, gene, kept in genes[["embedding", "gene", "kept"]].itertuples(index=False, name=None):
            if name in rows:
                rows[name][f"{gene}_kept"] = kept
    for name, alarm, by in judgement.table[["alarm", "alarm_by"]].itertuples(name=None):
        # The alarm rings for differences between cells, the condition or control genes.
        rows[str(name)] |= {"alarm": 1.0 if alarm else 0.0, "alarm_by": by}
    return [rows[name] for name in names]


def _tables(judgement: Judgement, names: list[str]) -> dict[str, pd.DataFrame]:
    left, kept = judgement.left, judgement.kept
    tables = {"differences": left.differences, "populations": left.populations}
    halves = [judgement.judged.parts[name].left for name in _HALVES]
    tables["halves"] = pd.DataFrame(
        {"embedding": names}
        | {
            f"half_{i}": [left_half.value[name] for name in names]
            for i, left_half in enumerate(halves)
            if left_half is not None
        }
    )
    if kept is not None:
        tables |= {"differences_structure": kept.differences, "populations_structure": kept.per_population}
    if judgement.results.lost is not None:
        tables["lost"] = judgement.results.lost.table
    if (genes := judgement.results.record.get("control_genes")) is not None:
        tables["control_genes"] = genes
    return tables


def _record(task: JudgeTask, judgement: Judgement) -> dict[str, Any]:
    record: dict[str, Any] = {
        "column": BATCH_LEFT,
        "n_cells": len(task.inputs.batch),
        "held_out": False,
        "notes": [*task.notes, *judgement.results.notes, *judgement.left.notes],
        "seed": task.options.seed,
    }
    if judgement.results.lost is not None:
        record["smallest_population"] = float(judgement.results.lost.smallest_population)
    return record | describe_axis(judgement.left)


def plain_value(value: Any) -> Any:
    """Return the value of an option as a number or text."""
    return value if isinstance(value, bool | int | float | str) else str(value)


def warn_if_order_reversed(front: Front) -> None:
    """Warn if the last value leaves significantly more of the batch than the first."""
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
