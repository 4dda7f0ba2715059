"""All points of a front judged together, while it is trained and afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scpareto._constants import BATCH
from scpareto._runtime import broadcast_from_first, computes_for_all
from scpareto.front._control_genes import add_control_genes, measure_control_genes
from scpareto.front._judge_front import judge_places
from scpareto.front._judging import encode_points, left_column
from scpareto.pareto import WeightPath, table_from_plain, table_to_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from scpareto.front._front_run import FrontRun
    from scpareto.front._judged_cells import JudgedCells
    from scpareto.front._judging import Judging
    from scpareto.pareto import Front

JUDGED = "judged"
"""Part of the store that records what was found of all points together."""


def judge_run(run: FrontRun) -> None:
    """Judge all finished points of a front that is trained; what is found is kept in its store."""
    numbers = [number for number in range(run.spec.n_front) if run.result(number) is not None]
    known = run.store.get(JUDGED)
    if not numbers or (known is not None and known["numbers"] == numbers):
        return
    path = run.store.get("path")
    states = {}
    for number in numbers:
        part = run.result(number)
        if part is not None and "module" in part:
            states[number] = part["module"]
        elif path is not None:
            states[number] = WeightPath.from_plain(path["path"]).state(run.spec.preference(number))
    found = (
        judge_all_points(run.cells, run.current_judging, encode_points(run.cells, states)) if computes_for_all() else {}
    )
    run.store.put(JUDGED, broadcast_from_first(found))


def judge_all_points(cells: JudgedCells, judging: Judging, codes: Mapping[int, NDArray[np.float32]]) -> dict[str, Any]:
    """Judge codes of points, the least corrected one first, with common random numbers.

    Returns
    -------
    What is kept, as tensors and plain types: ``numbers`` of the points, ``columns`` of each, ``tables`` and ``record``.
    """
    kept: dict[str, Any] = {"numbers": list(codes), "columns": {}, "tables": {}, "record": {}}
    # Batches say nothing about what is left of a continuous nuisance, but structure is kept within them.
    frame = cells.frame(judging.target or BATCH, judging.frame_seed)
    if frame is None:
        return kept | {"record": {"reason": "too few cells of two batches"}}
    named = {f"point {number}": values for number, values in codes.items()}
    column = judging.column
    found = judge_places(frame, named, column=column, full=True, n_bootstrap=judging.n_bootstrap, probed=judging.probed)
    if cells.control_genes:
        found.tables["control_genes"] = measure_control_genes(frame, named, cells.control_genes)
        add_control_genes(found.columns, found.tables["control_genes"])
    columns = {number: found.columns[f"point {number}"] for number in codes}
    for other in judging.others:
        for number, row in _left_of(cells, judging, other, named).items():
            columns[number] |= row
    tables, record = found.tables, found.record
    if judging.target is None:
        columns = {number: _of_structure(row) for number, row in columns.items()}
        tables = {name: table for name, table in tables.items() if name not in ("differences", "populations", "halves")}
        record = {"n_cells": record["n_cells"], "reason": "a continuous nuisance is not judged"}
    plain = {name: table_to_plain(table) for name, table in tables.items()}
    return kept | {"columns": columns, "tables": plain, "record": record}


def _left_of(
    cells: JudgedCells, judging: Judging, nuisance: str, codes: Mapping[str, NDArray[np.float32]]
) -> dict[int, dict[str, Any]]:
    """Judge what points leave of a further nuisance, with its interval."""
    frame, column = cells.frame(nuisance, judging.frame_seed), left_column(nuisance)
    if frame is None:
        return {}
    found = judge_places(frame, codes, column=column, full=False, n_bootstrap=judging.n_bootstrap).columns
    known = [column, f"{column}_low", f"{column}_high"]
    return {
        int(name.removeprefix("point ")): {key: row[key] for key in known if key in row} for name, row in found.items()
    }


def _of_structure(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in row.items() if name.startswith(("structure", "alarm")) or name.endswith("_kept")
    }


def write_judgement(front: Front, judged: Mapping[str, Any]) -> None:
    """Write what was found of all points together into their front, in place of what was there."""
    for number, columns in judged["columns"].items():
        front.update(number, columns)
    curve = {name: table for name, table in front.tables.items() if name == "curve"}
    front.tables = {name: table_from_plain(table) for name, table in judged["tables"].items()} | curve
    front.metadata["judged"] = dict(judged["record"])
    front.refresh()
