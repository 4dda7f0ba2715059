"""Judge all points of a front together, during training and afterwards."""

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
"""Entry of the store with the judgement of all points together."""


def judge_run(run: FrontRun) -> None:
    """Judge all finished points of a front in training, and store the judgement."""
    numbers = [number for number in range(run.spec.n_front) if run.result(number) is not None]
    earlier = run.store.get(JUDGED)
    if not numbers or (earlier is not None and earlier["numbers"] == numbers):
        return
    path = run.store.get("path")
    states = {}
    for number in numbers:
        result = run.result(number)
        if result is not None and "module" in result:
            states[number] = result["module"]
        elif path is not None:
            states[number] = WeightPath.from_plain(path["path"]).state(run.spec.preference(number))
    judgement = (
        judge_all_points(run.cells, run.current_judging, encode_points(run.cells, states)) if computes_for_all() else {}
    )
    run.store.put(JUDGED, broadcast_from_first(judgement))


def judge_all_points(cells: JudgedCells, judging: Judging, codes: Mapping[int, NDArray[np.float32]]) -> dict[str, Any]:
    """Judge codes of points, the least corrected one first, with common random numbers.

    Returns
    -------
    Tensors and plain types: ``numbers`` of the points, ``columns`` of each, ``tables`` and ``record``.
    """
    result: dict[str, Any] = {"numbers": list(codes), "columns": {}, "tables": {}, "record": {}}
    # Batches hold no information about a continuous nuisance, but structure_kept is measured within them.
    frame = cells.frame(judging.target or BATCH, judging.frame_seed)
    if frame is None:
        return result | {"record": {"reason": "too few cells of two batches"}}
    named = {f"point {number}": values for number, values in codes.items()}
    column = judging.column
    judgement = judge_places(
        frame, named, column=column, full=True, n_bootstrap=judging.n_bootstrap, probed=judging.probed
    )
    if cells.control_genes:
        judgement.tables["control_genes"] = measure_control_genes(frame, named, cells.control_genes)
        add_control_genes(judgement.columns, judgement.tables["control_genes"])
    columns = {number: judgement.columns[f"point {number}"] for number in codes}
    for other in judging.others:
        for number, row in _judge_other_nuisance(cells, judging, other, named).items():
            columns[number] |= row
    tables, record = judgement.tables, judgement.record
    if judging.target is None:
        columns = {number: _structure_columns(row) for number, row in columns.items()}
        tables = {name: table for name, table in tables.items() if name not in ("differences", "populations", "halves")}
        record = {"n_cells": record["n_cells"], "reason": "a continuous nuisance is not judged"}
    plain = {name: table_to_plain(table) for name, table in tables.items()}
    return result | {"columns": columns, "tables": plain, "record": record}


def _judge_other_nuisance(
    cells: JudgedCells, judging: Judging, nuisance: str, codes: Mapping[str, NDArray[np.float32]]
) -> dict[int, dict[str, Any]]:
    """Judge how much of a further nuisance is left at each point, with intervals."""
    frame, column = cells.frame(nuisance, judging.frame_seed), left_column(nuisance)
    if frame is None:
        return {}
    rows = judge_places(frame, codes, column=column, full=False, n_bootstrap=judging.n_bootstrap).columns
    columns = [column, f"{column}_low", f"{column}_high"]
    return {
        int(name.removeprefix("point ")): {key: row[key] for key in columns if key in row} for name, row in rows.items()
    }


def _structure_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in row.items() if name.startswith(("structure", "alarm")) or name.endswith("_kept")
    }


def write_judgement(front: Front, judged: Mapping[str, Any]) -> None:
    """Write the judgement of all points into their front, replacing the earlier one."""
    for number, columns in judged["columns"].items():
        front.update(number, columns)
    curve = {name: table for name, table in front.tables.items() if name == "curve"}
    front.tables = {name: table_from_plain(table) for name, table in judged["tables"].items()} | curve
    front.metadata["judged"] = dict(judged["record"])
    front.refresh()
