"""The story of a front: shared start, critics, points along one path or apart, one judge, a table."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from scpareto._runtime import FrontProgress, is_first_process
from scpareto.front._along_path import train_along_path
from scpareto.front._apart import train_alone, train_apart
from scpareto.front._front_run import CURVE
from scpareto.front._judge_all import JUDGED, judge_run, write_judgement
from scpareto.front._shared_start import find_clusters, train_shared_start
from scpareto.pareto import Front, WeightPath, table_from_plain
from scpareto.train import count_epochs

if TYPE_CHECKING:
    from scpareto.front._front_run import FrontRun


_JUDGING = 0.3
"""Time of judging as a share of that of training, at a few thousand cells; for the bar alone."""


def train_front(run: FrontRun) -> None:
    """Train and judge all points that the store does not hold yet.

    Raises
    ------
    TrainingDiverged
        If the training of the shared start, an extreme or the path diverged.
    RuntimeError
        If the training of every candidate diverged.
    ValueError
        If no cluster can be mixed, because each has one level of the nuisance only.
    """
    now = run.current()
    shown = run.show_progress and is_first_process()
    with FrontProgress(now.spec.n_epochs, show=shown, judging=_JUDGING) as progress:
        start = train_shared_start(now, progress)
        if now.spec.alone:
            train_alone(now, start, progress)
        else:
            find_clusters(now, start)
        if now.spec.along_path and not train_along_path(now, start, progress):
            now = run.apart()
            progress.extend(now.spec.n_epochs - now.spec.max_epochs_pretrain)
        if not now.spec.along_path and not now.spec.alone:
            train_apart(now, start, progress)
        with progress.judge("judging all points", 0.5):
            judge_run(now.current())
        progress.done()


def assemble_front(run: FrontRun) -> Front:
    """Assemble the front of all points finished so far."""
    spec = run.current().spec
    metadata = copy.deepcopy(run.metadata) | {"method": spec.method, "max_epochs": spec.n_epochs_whole}
    metadata |= {"on_axis": run.is_on_axis, "probed": list(run.current().current_judging.probed)}
    if run.has_collapsed:
        metadata["collapsed"] = True
    front = Front(
        objectives=run.problem.names,
        method=spec.method,
        metadata=metadata,
        n_expected=spec.n_front,
    )
    for number in range(spec.n_front):
        if (part := run.result(number)) is not None:
            front.add(part["row"], part.get("module"))
    start = run.store.get("pretraining")
    if spec.along_path and not len(front) and start is not None:
        # A path has no point before its end: what is finished until then is the start, which nothing was traded in.
        front.add(_row_of_start(run, start), start["module"])
    names = ["pretraining", *(f"point_{number}" for number in range(spec.n_front)), "path"]
    parts = {name: run.store.get(name) for name in names}
    front.metadata["history"] = {name: part["history"] for name, part in parts.items() if part and "history" in part}
    front.metadata["failures"] = {str(number): reason for number, reason in run.failures.items()}
    if spec.along_path and (path := parts["path"]) is not None:
        front.path = WeightPath.from_plain(path["path"])
    if (judged := run.store.get(JUDGED)) is not None and judged["numbers"] == front.numbers:
        write_judgement(front, judged)
    if spec.along_path and (curve := run.store.get(CURVE)):
        front.tables["curve"] = table_from_plain(curve["table"])
    return front


def _row_of_start(run: FrontRun, start: dict[str, Any]) -> dict[str, Any]:
    """Row of the shared start as point 0, which is not judged."""
    row: dict[str, Any] = {"point": 0, "kind": "extreme"}
    row |= {f"preference_{name}": float(k == 0) for k, name in enumerate(run.problem.names)}
    return row | {"seed": run.spec.seed, "n_epochs": count_epochs(start["history"])}
