"""The steps of a front: shared start, critics, points along one path or trained apart, one judge, a table."""

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


_JUDGING_SHARE = 0.3
"""Time of judging as a share of the training time, at a few thousand cells; used by the progress bar only."""


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
    current = run.current()
    shown = run.show_progress and is_first_process()
    with FrontProgress(current.spec.n_epochs, show=shown, judging=_JUDGING_SHARE) as progress:
        start = train_shared_start(current, progress)
        if current.spec.alone:
            train_alone(current, start, progress)
        else:
            find_clusters(current, start)
        if current.spec.along_path and not train_along_path(current, start, progress):
            current = run.apart()
            progress.extend(current.spec.n_epochs - current.spec.max_epochs_pretrain)
        if not current.spec.along_path and not current.spec.alone:
            train_apart(current, start, progress)
        with progress.judge("judging all points", 0.5):
            judge_run(current.current())
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
        if (result := run.result(number)) is not None:
            front.add(result["row"], result.get("module"))
    start = run.store.get("pretraining")
    if spec.along_path and not len(front) and start is not None:
        # A path has no points until it is judged: before that only the untraded shared start is finished.
        front.add(_row_of_start(run, start), start["module"])
    names = ["pretraining", *(f"point_{number}" for number in range(spec.n_front)), "path"]
    results = {name: run.store.get(name) for name in names}
    front.metadata["history"] = {
        name: result["history"] for name, result in results.items() if result and "history" in result
    }
    front.metadata["failures"] = {str(number): reason for number, reason in run.failures.items()}
    if spec.along_path and (path := results["path"]) is not None:
        front.path = WeightPath.from_plain(path["path"])
    if (judgement := run.store.get(JUDGED)) is not None and judgement["numbers"] == front.numbers:
        write_judgement(front, judgement)
    if spec.along_path and (curve := run.store.get(CURVE)):
        front.tables["curve"] = table_from_plain(curve["table"])
    return front


def _row_of_start(run: FrontRun, start: dict[str, Any]) -> dict[str, Any]:
    """Row of the shared start as point 0, which is not judged."""
    row: dict[str, Any] = {"point": 0, "kind": "extreme"}
    row |= {f"preference_{name}": float(k == 0) for k, name in enumerate(run.problem.names)}
    return row | {"seed": run.spec.seed, "n_epochs": count_epochs(start["history"])}
