"""Judge all points of a front with common random numbers, on cells that were not used in training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.audit import judge_embeddings
from scpareto.train import plain_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from scpareto.audit import JudgeResult
    from scpareto.front._judged_frame import JudgedFrame
    from scpareto.metrics import BatchLeft, LostContrasts

MARGIN = 0.01
"""Share of the batch entropy below which remaining information is not called a batch effect."""
_BOUNDS = ("low", "high")
_TEST, _HALVES = "test", ("first half", "second half")


@dataclass(frozen=True, eq=False)
class FrontJudgement:
    """Judgement of places of a front.

    Parameters
    ----------
    columns
        Columns of the front table by name of the place.
    tables
        ``"differences"`` of ``batch_left`` and ``"differences_structure"`` of ``structure_kept`` between places, with
        paired intervals; ``"halves"``, what is left in each half of the scored cells; ``"populations"`` and
        ``"populations_structure"``, what is left and kept in each population; ``"lost"``, lost differences between
        cells.
    record
        Values for the front as a whole, of plain types.
    """

    columns: dict[str, dict[str, Any]]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


def judge_places(
    frame: JudgedFrame,
    codes: Mapping[str, NDArray[np.floating]],
    *,
    column: str,
    full: bool,
    n_bootstrap: int,
    probed: Sequence[str] = (),
) -> FrontJudgement:
    """Judge codes of places of one front.

    Parameters
    ----------
    frame
        The cells, the judge and the parts.
    codes
        Posterior means of all judged cells by name of the place, the least corrected one first, against which losses
        are measured.
    column
        Name of the column of what is left: ``"batch_left"``, or the name for another nuisance.
    full
        Whether to look for lost differences, and to judge training cells too.
    n_bootstrap
        Number of bootstrap samples for the intervals.
    probed
        Labels of objectives whose losses are the information about the batch, on each part of the cells.
    """
    judged_codes = {name: frame.take(values) for name, values in codes.items()}
    first = next(iter(judged_codes))
    parts = _parts(frame, halves=full, losses=bool(probed))
    judged = judge_embeddings(
        frame.frame,
        judged_codes,
        alarm_reference=first,
        parts=parts,
        batch_left_only=set(parts) - {_TEST},
        marginal=full,
        alarm=full,
        n_bootstrap=n_bootstrap,
    )
    scored = judged if frame.scored is None else judged.parts[_TEST]
    columns = make_score_columns(scored, list(judged_codes), column)
    if full and frame.scored is not None:
        for name, row in make_score_columns(judged, list(judged_codes), column).items():
            columns[name] |= {f"{key}_in_sample": row[key] for key in (column, "structure_kept") if key in row}
    for label in probed:
        for part in frame.parts:
            if part in judged.parts and (left := judged.parts[part].left) is not None:
                for name in judged_codes:
                    columns[name][f"{label}_{part}"] = left.table.loc[name, "marginal"]
    if judged.lost is not None:
        for name, row in make_alarm_columns(judged.lost, list(judged_codes), first).items():
            columns[name] |= row
    tables = {}
    if scored.left is not None:
        tables["differences"] = scored.left.differences
        tables["populations"] = scored.left.populations
    if full and scored.left is not None:
        halves = [judged.parts[name].left for name in _HALVES]
        tables["halves"] = pd.DataFrame(
            {"embedding": list(judged_codes)}
            | {f"half_{i}": [half.value[n] for n in judged_codes] for i, half in enumerate(halves) if half is not None}
        )
    if scored.kept is not None:
        tables["differences_structure"] = scored.kept.differences
        tables["populations_structure"] = scored.kept.per_population
    if judged.lost is not None:
        tables["lost"] = judged.lost.table
    plain_columns = {name: {key: _plain(value) for key, value in row.items()} for name, row in columns.items()}
    return FrontJudgement(plain_columns, tables, _record(frame, scored, judged.lost, column))


def make_score_columns(judged: JudgeResult, names: list[str], column: str) -> dict[str, dict[str, Any]]:
    """Return the columns of what is left and kept, by name of the place."""
    rows: dict[str, dict[str, Any]] = {name: {} for name in names}
    if judged.left is not None:
        table = judged.left.table
        for name in names:
            row = table.loc[name]
            rows[name] |= {column: row["batch_left"]} | {f"{column}_{bound}": row[bound] for bound in _BOUNDS}
            rows[name] |= {"graph_mixing": row["graph_mixing"], "information": row["information"]}
            rows[name] |= {"leakage_mean": row["marginal"]}
            rows[name] |= {f"leakage_mean_{bound}": row[f"marginal_{bound}"] for bound in _BOUNDS}
            rows[name] |= {"composition_erased": 1.0 if row["composition_erased"] else 0.0}
    if judged.kept is not None:
        kept = judged.kept.table.set_index("embedding")
        for name in names:
            rows[name] |= {"structure_kept": kept.loc[name, "structure_kept"]}
            rows[name] |= {f"structure_kept_{bound}": kept.loc[name, bound] for bound in _BOUNDS}
    return rows


def make_alarm_columns(lost: LostContrasts, names: list[str], first: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the alarm columns: 1 if the alarm rings, and the largest loss. The first place has no alarm."""
    quiet = {"alarm": 0.0, "structure_lost": 0.0, "structure_lost_most": "none"}
    rows = {name: dict(quiet) for name in names}
    for name in names:
        alarms = (
            lost.table[(lost.table["embedding"] == name) & lost.table["rings"]] if name != first else lost.table[:0]
        )
        if len(alarms):
            worst = alarms.sort_values("lost", ascending=False).iloc[0]
            contrast = f"{worst['contrast']}: {worst['markers_first']} against {worst['markers_second']}"
            rows[name] = {
                "alarm": 1.0,
                "structure_lost": alarms["lost"].max(),
                "structure_lost_most": contrast,
            }
    return rows


def _parts(frame: JudgedFrame, *, halves: bool, losses: bool) -> dict[str, NDArray[np.int64]]:
    """Return test cells and two random halves of them: a point is picked on one half and reported on the other."""
    scored = np.arange(len(frame.frame.batch)) if frame.scored is None else frame.scored
    parts = {} if frame.scored is None else {_TEST: scored}
    if losses:
        parts |= {name: part for name, part in frame.parts.items() if len(part)}
    if halves:
        half = stratified_halves(frame.frame.batch[scored], frame.frame.seed)
        parts |= {name: scored[half == i] for i, name in enumerate(_HALVES)}
    return parts


def _record(frame: JudgedFrame, judged: JudgeResult, lost: LostContrasts | None, column: str) -> dict[str, Any]:
    n_scored = len(frame.frame.batch) if frame.scored is None else len(frame.scored)
    record: dict[str, Any] = {
        "column": column,
        "n_cells": n_scored,
        "held_out": frame.scored is not None,
        "notes": list(frame.notes),
        "seed": frame.frame.seed,
    }
    if judged.left is None:
        return record | {"reason": frame.frame.reason}
    record["notes"] += list(judged.left.notes)
    if lost is not None:
        record["smallest_population"] = float(lost.smallest_population)
    return record | describe_axis(judged.left)


def describe_axis(left: BatchLeft) -> dict[str, Any]:
    """Return the scale of the axis: the information in the reference, and the margin of equivalence in percent."""
    table = left.table
    reference = table.iloc[-1]
    least = MARGIN * left.entropy
    repeatability = 2 * float(np.nanmedian(table["sd_repeats"])) if table["sd_repeats"].notna().any() else 0.0
    return {
        "entropy": float(left.entropy),
        "reference_information": float(reference["information"]),
        "no_batch_effect": bool(reference["no_batch_effect"]),
        "none_at_all": bool(reference["information_high"] < least),
        "composition": float(reference["composition"]),
        "composition_low": float(reference["composition_low"]),
        "not_assessable": float(left.not_assessable.to_numpy().mean()),
        "repeatability": repeatability,
        "margin": float(max(repeatability, 100 * least / max(float(reference["information"]), least))),
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else plain_number(value)


def stratified_halves(batch: NDArray[Any], seed: int) -> NDArray[np.int64]:
    """Assign each cell at random to half 0 or 1, within batches."""
    half = np.empty(len(batch), dtype=np.int64)
    rng = np.random.default_rng([seed, 5])
    for level in np.unique(batch):
        cells = np.flatnonzero(batch == level)
        half[rng.permutation(cells)] = np.arange(len(cells)) % 2
    return half
