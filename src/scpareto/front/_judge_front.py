"""The judge of a front: all points with common random numbers, on cells that no training has seen."""

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
"""Share of the batch entropy below which nobody would call what is left a batch effect."""
_ENDS = ("low", "high")
_TEST, _HALVES = "test", ("first half", "second half")


@dataclass(frozen=True, eq=False)
class FrontJudgement:
    """What was found of places of a front.

    Parameters
    ----------
    columns
        Columns of the front table by name of the place.
    tables
        ``"differences"`` of ``batch_left`` and ``"differences_structure"`` of ``structure_kept`` between places, with
        paired intervals; ``"halves"``, what is left by halves of the scored cells; ``"populations"`` and
        ``"populations_structure"``, what is left and kept in each; ``"lost"``, differences between cells.
    record
        What holds for the front as a whole, as plain values.
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
        What they are judged by.
    codes
        Posterior means of all judged cells by name of the place, the least corrected one first, against which losses
        are measured.
    column
        Name of the column of what is left: ``"batch_left"``, or that of another nuisance.
    full
        Whether to look for lost differences, and to judge the cells that trained the model as well.
    n_bootstrap
        Draws of the intervals.
    probed
        Labels of objectives whose losses are the information that is read, on each part of the cells.
    """
    taken = {name: frame.take(values) for name, values in codes.items()}
    first = next(iter(taken))
    parts = _parts(frame, halves=full, losses=bool(probed))
    judged = judge_embeddings(
        frame.frame,
        taken,
        alarm_reference=first,
        parts=parts,
        batch_left_only=set(parts) - {_TEST},
        marginal=full,
        alarm=full,
        n_bootstrap=n_bootstrap,
    )
    scored = judged if frame.scored is None else judged.parts[_TEST]
    columns = make_score_columns(scored, list(taken), column)
    if full and frame.scored is not None:
        for name, row in make_score_columns(judged, list(taken), column).items():
            columns[name] |= {f"{key}_in_sample": row[key] for key in (column, "structure_kept") if key in row}
    for label in probed:
        for part in frame.parts:
            if part in judged.parts and (left := judged.parts[part].left) is not None:
                for name in taken:
                    columns[name][f"{label}_{part}"] = left.table.loc[name, "marginal"]
    if judged.lost is not None:
        for name, row in make_alarm_columns(judged.lost, list(taken), first).items():
            columns[name] |= row
    tables = {}
    if scored.left is not None:
        tables["differences"] = scored.left.differences
        tables["populations"] = scored.left.populations
    if full and scored.left is not None:
        halves = [judged.parts[name].left for name in _HALVES]
        tables["halves"] = pd.DataFrame(
            {"embedding": list(taken)}
            | {f"half_{i}": [half.value[n] for n in taken] for i, half in enumerate(halves) if half is not None}
        )
    if scored.kept is not None:
        tables["differences_structure"] = scored.kept.differences
        tables["populations_structure"] = scored.kept.per_population
    if judged.lost is not None:
        tables["lost"] = judged.lost.table
    plain = {name: {key: _plain(value) for key, value in row.items()} for name, row in columns.items()}
    return FrontJudgement(plain, tables, _record(frame, scored, judged.lost, column))


def make_score_columns(judged: JudgeResult, names: list[str], column: str) -> dict[str, dict[str, Any]]:
    """Columns of what is left and kept."""
    rows: dict[str, dict[str, Any]] = {name: {} for name in names}
    if judged.left is not None:
        table = judged.left.table
        for name in names:
            found = table.loc[name]
            rows[name] |= {column: found["batch_left"]} | {f"{column}_{end}": found[end] for end in _ENDS}
            rows[name] |= {"graph_mixing": found["graph_mixing"], "information": found["information"]}
            rows[name] |= {"leakage_mean": found["marginal"]}
            rows[name] |= {f"leakage_mean_{end}": found[f"marginal_{end}"] for end in _ENDS}
            rows[name] |= {"composition_erased": 1.0 if found["composition_erased"] else 0.0}
    if judged.kept is not None:
        kept = judged.kept.table.set_index("embedding")
        for name in names:
            rows[name] |= {"structure_kept": kept.loc[name, "structure_kept"]}
            rows[name] |= {f"structure_kept_{end}": kept.loc[name, end] for end in _ENDS}
    return rows


def make_alarm_columns(lost: LostContrasts, names: list[str], first: str | None = None) -> dict[str, dict[str, Any]]:
    """Alarm of each place but the first: 1 where it rings, and the largest loss that made it ring."""
    quiet = {"alarm": 0.0, "structure_lost": 0.0, "structure_lost_most": "none"}
    rows = {name: dict(quiet) for name in names}
    for name in names:
        rang = lost.table[(lost.table["embedding"] == name) & lost.table["rings"]] if name != first else lost.table[:0]
        if len(rang):
            worst = rang.sort_values("lost", ascending=False).iloc[0]
            told = f"{worst['contrast']}: {worst['markers_first']} against {worst['markers_second']}"
            rows[name] = {
                "alarm": 1.0,
                "structure_lost": rang["lost"].max(),
                "structure_lost_most": told,
            }
    return rows


def _parts(frame: JudgedFrame, *, halves: bool, losses: bool) -> dict[str, NDArray[np.int64]]:
    """Test cells, and halves of them by chance: a point is picked on one and reported on the other."""
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
    """Scale of the axis: what the reference holds, and which difference counts as none, in percent of it."""
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
    """Half, 0 or 1, of each cell, by chance within batches."""
    half = np.empty(len(batch), dtype=np.int64)
    rng = np.random.default_rng([seed, 5])
    for level in np.unique(batch):
        own = np.flatnonzero(batch == level)
        half[rng.permutation(own)] = np.arange(len(own)) % 2
    return half
