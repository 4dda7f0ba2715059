"""Every method on the same cells, judged in the same way, in one table and one picture."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._cells import Split, rows_by_name, stratified_split
from scpareto._runtime import FrontProgress, child_seed
from scpareto.bench._cost import Cost, measured
from scpareto.bench._dominance import beside_front
from scpareto.bench._integrate import gather, labels_of, run_method
from scpareto.bench._judge import CodesJudge
from scpareto.bench._methods._paretovi import points_of
from scpareto.bench._picture import draw_benchmark
from scpareto.bench._registry import Points, get_method
from scpareto.bench._results import FAILED, FINISHED, Results
from scpareto.bench._tasks import Task, chosen_methods, plan_tasks

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from scpareto.bench._cells import Cells
    from scpareto.model import ParetoVI

logger = logging.getLogger("scpareto")


class Benchmark:
    """Integration methods side by side with a front, on cells that are held out where a method can hold them out.

    Parameters
    ----------
    adata
        Data with raw counts; not changed. Select variable genes before.
    batch_key
        Column of ``adata.obs`` with the batches, two or more.
    labels_key
        Column with annotated types; adds scores that need labels. Missing ones are left out of these.
    methods
        Names, see :func:`methods`. None: all whose library is installed, those that read labels only with
        ``labels_key``.
    seeds
        Number of seeds, or the seeds. Each has a split, and initial weights, of its own.
    layer
        Layer of the counts; None for ``adata.X``.
    options
        Options of single methods, by name, e.g. ``{"harmony": {"theta": 1.0}}``.
    sweeps
        Methods whose knob is turned over its grid beside the default (True: all that have one); or grids, by name.
    fronts
        Trained models by name, of the same cells in any order, whose points are judged beside the methods. All seeds
        then have their split.
    reference_rep
        Key of ``adata.obsm`` with a representation that no method has seen, such as other genes or proteins. How far
        neighbours within it are kept becomes the column ``retention_reference``.
    fractions
        Shares of training, validation and test cells.
    scib
        With labels, whether to add the scores of scib-metrics.
    scib_intervals
        Whether to add intervals of ``scib_bio`` and ``scib_batch`` by a jackknife over five groups of cells, which
        takes six times as long.
    path
        CSV file that keeps every finished run; a later benchmark with the same path goes on from there. Failed runs are
        tried again.
    check
        Whether to check counts and columns, which reads all counts; False where that has been done.

    Raises
    ------
    ValueError
        If a method, an option or a sweep is unknown, there is one batch, or fronts have different test cells.
    KeyError
        If a column, layer or representation does not exist.

    Notes
    -----
    Everything is measured on the test cells. Methods that map new cells (``fits`` is ``training cells`` in
    :func:`methods`) have never seen these; the others are transductive: they have seen all cells, their counts and
    batches but no labels, and are judged on the same test cells with the same probes. scANVI is told labels of training
    and validation cells only, and belongs beside the others, not among them.

    ``retention`` compares neighbours with those in principal components of the very counts that a method was given. It
    is 1 for uncorrected components by definition and favours methods that start from them; a representation that no
    method has seen (``reference_rep``) does not.

    Examples
    --------
    >>> import scpareto as sp
    >>> adata = sp.datasets.simulate_batches(n_cells=300, n_genes=60, seed=0)
    >>> bench = sp.bench.Benchmark(adata, batch_key="batch", methods=["pca", "combat"])
    >>> bench.run(progress=False)
    >>> bench.to_dataframe()[["method", "status", "retention"]].round(1).values.tolist()[0]
    ['pca', 'finished', 1.0]
    """

    def __init__(
        self,
        adata: AnnData,
        *,
        batch_key: str,
        labels_key: str | None = None,
        methods: Sequence[str] | None = None,
        seeds: int | Sequence[int] = 1,
        layer: str | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        sweeps: bool | Sequence[str] | Mapping[str, Sequence[float]] = (),
        fronts: Mapping[str, ParetoVI] | None = None,
        reference_rep: str | None = None,
        fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
        scib: bool = True,
        scib_intervals: bool = False,
        path: str | os.PathLike[str] | None = None,
        check: bool = True,
    ) -> None:
        if reference_rep is not None and reference_rep not in adata.obsm:
            raise KeyError(
                f"reference_rep={reference_rep!r} is not in adata.obsm. Available: "
                f"{', '.join(map(repr, adata.obsm)) or 'none'}."
            )
        self._labels = None if labels_key is None else labels_of(adata, labels_key)
        self._reference = None if reference_rep is None else np.asarray(adata.obsm[reference_rep])
        self._scib, self._scib_intervals, self._fractions = scib, scib_intervals, fractions
        self.seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
        if not self.seeds:
            raise ValueError(f"seeds={seeds!r}: give at least one seed.")
        self._fronts = dict(fronts or {})
        self._rows = {name: _rows_in(model, adata, name) for name, model in self._fronts.items()}
        self._split = _split_of(self._fronts, self._rows)
        chosen = chosen_methods(methods, labels=labels_key is not None)
        self.tasks = plan_tasks(chosen, options or {}, sweeps)
        for task in self.tasks:
            method = get_method(task.method)
            if method.reads_labels and labels_key is None:
                raise ValueError(f"method={task.method!r} reads labels: name their column by labels_key=...")
        self._gathered = gather(adata, batch_key=batch_key, labels_key=labels_key, layer=layer, check=check)
        self._results = Results(path)

    def run(self, *, progress: bool = True) -> None:
        """Run what has no finished rows yet; a method that fails is noted with its reason, and the others go on.

        Parameters
        ----------
        progress
            Whether to show a bar.
        """
        missing = {
            seed: [t for t in self.tasks if not self._results.has(t.method, t.setting, seed)] for seed in self.seeds
        }
        fronts = [name for name in self._fronts if not self._results.has(name, "", self.seeds[0])]
        with FrontProgress(sum(map(len, missing.values())) + len(fronts), show=progress, unit="runs") as bar:
            for seed, tasks in missing.items():
                own = fronts if seed == self.seeds[0] else []
                if not tasks and not own:
                    continue
                cells = self._cells(seed)
                judge = self._judge(cells)
                for name in own:
                    bar.say(name)
                    found, cost = points_of(self._fronts[name], rows=self._rows[name]), Cost()
                    self._results.keep([self._facts(name, "front", cells) | r for r in _judged(judge, found, cost)])
                    bar.epoch()
                for task in tasks:
                    bar.say(f"{task.method} {task.setting}".strip())
                    self._results.keep(self._run(task, cells, judge))
                    bar.epoch()

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per method, setting, seed and, for fronts, point.

        Returns
        -------
        ``method``, ``family``, ``setting`` (how it differs from the defaults), ``strength`` (value of its knob, or
        preference of a point), ``point``, ``selected`` (the point that the front itself would take), ``seed``,
        ``status`` (``finished`` or ``failed``), ``reason`` of a failure, ``fits`` (the cells that it has seen),
        ``labels`` (whether it was told labels), ``n_cells``, ``n_test``, ``seconds``, ``cpu_seconds`` and ``peak_mb``
        (growth of memory; all of a front's points together), and the columns of
        :func:`scpareto.audit.judge_codes` and :class:`scpareto.audit.LabelJudge`.
        """
        return self._results.table()

    def beside_front(self, *, x: str = "leakage_mean", y: str = "retention", front: str | None = None) -> pd.DataFrame:
        """Ask of every other point whether some point of a front is at least as good on both axes.

        Parameters
        ----------
        x, y
            Two columns of the table.
        front
            Name of the front; the only one, or ``paretovi``, unless given.

        Returns
        -------
        One row per method, setting and seed: its ``x`` and ``y``, ``dominated`` (by the numbers as they are),
        ``dominated_within`` (up to the 95 % interval of the difference, from the intervals of both where they were
        measured), ``by`` (the point of the front that comes closest to it or surpasses it most), and ``gain_x`` and
        ``gain_y``, what would be gained there; negative values are lost. Leakage below 0 counts as 0.

        Raises
        ------
        ValueError
            If there is no such front or column.
        """
        return beside_front(self.to_dataframe(), x=x, y=y, front=front)

    def plot(
        self, *, x: str = "leakage_mean", y: str = "retention", intervals: bool = True, ax: Axes | None = None
    ) -> Axes:
        """Draw methods as points, sweeps and fronts as curves, means over seeds.

        Parameters
        ----------
        x, y
            Two columns of the table.
        intervals
            Whether to draw the intervals of points.
        ax
            Where to draw; by default a new figure.

        Returns
        -------
        The axes, see :func:`scpareto.pl.front`.

        Raises
        ------
        ValueError
            If nothing has finished, or a column cannot be drawn.
        """
        return draw_benchmark(self.to_dataframe(), x=x, y=y, intervals=intervals, ax=ax)

    def _cells(self, seed: int) -> Cells:
        split = self._split
        if split is None:
            split = stratified_split(self._gathered.batch, fractions=self._fractions, seed=child_seed(seed, 0))
        return self._gathered.with_split(split, seed=seed)

    def _judge(self, cells: Cells) -> CodesJudge:
        return CodesJudge(
            cells,
            labels=self._labels,
            reference=self._reference,
            scib=self._scib,
            scib_intervals=self._scib_intervals,
        )

    def _run(self, task: Task, cells: Cells, judge: CodesJudge) -> list[dict[str, Any]]:
        method = get_method(task.method)
        facts = self._facts(task.method, method.family, cells) | {
            "setting": task.setting,
            "strength": task.strength,
            "fits": "training cells" if method.inductive else "all cells",
            "labels": method.reads_labels,
        }
        cost = Cost()
        try:
            method.check_installed()
            with measured() as cost:
                found = run_method(method, cells, task.options)
            return [facts | row for row in _judged(judge, found, cost)]
        except Exception as error:
            logger.warning("%s %s failed: %s", task.method, task.setting, error, exc_info=True)
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            return [facts | {"status": FAILED, "reason": reason, "seconds": cost.seconds}]

    def _facts(self, name: str, family: str, cells: Cells) -> dict[str, Any]:
        return {
            "method": name,
            "family": family,
            "setting": "",
            "strength": float("nan"),
            "seed": cells.seed,
            "status": FINISHED,
            "reason": "",
            "fits": "training cells",
            "labels": False,
            "n_cells": len(cells),
            "n_test": len(cells.split.test),
        }


def _judged(judge: CodesJudge, found: NDArray | Points, cost: Cost) -> list[dict[str, Any]]:
    spent = {"seconds": cost.seconds, "cpu_seconds": cost.cpu_seconds, "peak_mb": cost.peak_mb}
    if not isinstance(found, Points):
        return [spent | judge(found)]
    return [
        spent
        | {"point": number, "strength": found.strength[number], "selected": number == found.selected}
        | judge(codes)
        for number, codes in found.codes.items()
    ]


def _rows_in(model: ParetoVI, adata: AnnData, name: str) -> NDArray[np.int64] | None:
    """Row of each cell among those of a model, by its name; None where they are the same."""
    own = list(model.adata.obs_names)
    return rows_by_name(
        list(adata.obs_names),
        own,
        of="adata",
        within=f"the data of fronts[{name!r}]",
        old_names=f"fronts[{name!r}].adata.obs_names",
    )


def _split_of(fronts: Mapping[str, ParetoVI], rows: Mapping[str, NDArray[np.int64] | None]) -> Split | None:
    """Split that all given models share, as rows of the data."""
    splits = {}
    for name, model in fronts.items():
        if model.front is None or not len(model.front):
            raise ValueError(f"fronts[{name!r}] has no front yet: train it first.")
        parts = [np.asarray(getattr(model, f"{p}_indices_")) for p in ("train", "validation", "test")]
        if (order := rows[name]) is not None:
            place = np.argsort(order)
            parts = [np.sort(place[part]) for part in parts]
        splits[name] = Split(*parts)
    first = next(iter(splits.values()), None)
    for name, split in splits.items():
        if first is not None and not np.array_equal(first.test, split.test):
            raise ValueError(f"fronts[{name!r}] was judged on other test cells than {next(iter(splits))!r}.")
    return first
