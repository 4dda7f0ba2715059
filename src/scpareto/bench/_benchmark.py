"""Run every method on the same cells, judge all in the same way, and return one table and one plot."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from scpareto._cells import Split, rows_by_name, stratified_split
from scpareto._runtime import FrontProgress, child_seed
from scpareto.bench._cost import Cost, measure_cost
from scpareto.bench._dominance import beside_front
from scpareto.bench._integrate import read_cells, read_labels, run_method
from scpareto.bench._judge import CodesJudge
from scpareto.bench._methods._paretovi import compute_points
from scpareto.bench._picture import draw_benchmark
from scpareto.bench._registry import Points, get_method
from scpareto.bench._results import FAILED, FINISHED, Results
from scpareto.bench._tasks import Task, plan_tasks, select_methods

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
    """Compare integration methods with a front, on test cells that methods have not seen if they can map new cells.

    Parameters
    ----------
    adata
        Data with raw counts; not changed. Select variable genes first.
    batch_key
        Column of ``adata.obs`` with the batches, two or more.
    labels_key
        Column with annotated types; adds scores that need labels. Cells with missing labels do not count for these.
    methods
        Names, see :func:`methods`. None: all whose library is installed, those that read labels only with
        ``labels_key``.
    seeds
        Number of seeds, or the seeds. Each seed has its own split and initial weights.
    layer
        Layer of the counts; None for ``adata.X``.
    options
        Options of single methods, by name, e.g. ``{"harmony": {"theta": 1.0}}``.
    sweeps
        Methods that are also run at all values of their knob's grid (True: all methods with a knob); or grids, by name.
    fronts
        Trained models by name, of the same cells in any order, whose points are judged together with the methods. All
        seeds then use the split of these models.
    reference_rep
        Key of ``adata.obsm`` with a representation that no method has seen, such as other genes or proteins. The column
        ``retention_reference`` measures how well neighbours in it are kept.
    fractions
        Shares of training, validation and test cells.
    scib
        With labels, whether to add the scores of scib-metrics.
    scib_intervals
        Whether to add intervals of ``scib_bio`` and ``scib_batch`` by a jackknife over five groups of cells, which
        takes six times as long.
    path
        CSV file for finished runs; a later benchmark with the same path continues from there. Failed runs are
        repeated.
    check
        Whether to check counts and columns, which reads all counts; False if they were checked before.

    Raises
    ------
    ValueError
        If a method, an option or a sweep is unknown, there is only one batch, or fronts have different test cells.
    KeyError
        If a column, layer or representation does not exist.

    Notes
    -----
    All measures are computed on the test cells. Methods that map new cells (``fits`` is ``training cells`` in
    :func:`methods`) have never seen these. The other methods are transductive: they have seen the counts and batches of
    all cells, but no labels, and are judged on the same test cells with the same probes. scANVI reads the labels of
    training and validation cells, so do not rank it together with methods that read none.

    ``retention`` compares neighbours with those in principal components of the same counts that a method reads. It is 1
    for uncorrected components by definition, and favours methods that start from principal components. A
    representation that no method has seen (``reference_rep``) does not.

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
        self._labels = None if labels_key is None else read_labels(adata, labels_key)
        self._reference = None if reference_rep is None else np.asarray(adata.obsm[reference_rep])
        self._scib, self._scib_intervals, self._fractions = scib, scib_intervals, fractions
        self.seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
        if not self.seeds:
            raise ValueError(f"seeds={seeds!r}: give at least one seed.")
        self._fronts = dict(fronts or {})
        self._rows = {name: _match_rows(model, adata, name) for name, model in self._fronts.items()}
        self._split = _find_shared_split(self._fronts, self._rows)
        method_names = select_methods(methods, labels=labels_key is not None)
        self.tasks = plan_tasks(method_names, options or {}, sweeps)
        for task in self.tasks:
            method = get_method(task.method)
            if method.reads_labels and labels_key is None:
                raise ValueError(f"method={task.method!r} reads labels: name their column by labels_key=...")
        self._all_cells = read_cells(adata, batch_key=batch_key, labels_key=labels_key, layer=layer, check=check)
        self._results = Results(path)

    def run(self, *, progress: bool = True) -> None:
        """Run everything that has not finished yet; if a method fails, its reason is recorded and the others run.

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
                seed_fronts = fronts if seed == self.seeds[0] else []
                if not tasks and not seed_fronts:
                    continue
                cells = self._cells(seed)
                judge = self._judge(cells)
                for name in seed_fronts:
                    bar.say(name)
                    returned, cost = compute_points(self._fronts[name], rows=self._rows[name]), Cost()
                    self._results.add(
                        [self._base_row(name, "front", cells) | r for r in _judge_to_rows(judge, returned, cost)]
                    )
                    bar.epoch()
                for task in tasks:
                    bar.say(f"{task.method} {task.setting}".strip())
                    self._results.add(self._run(task, cells, judge))
                    bar.epoch()

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per method, setting, seed and, for fronts, point.

        Returns
        -------
        ``method``, ``family``, ``setting`` (difference from the defaults), ``strength`` (value of its knob, or
        preference of a point), ``point``, ``selected`` (whether the front recommends this point), ``seed``,
        ``status`` (``finished`` or ``failed``), ``reason`` of a failure, ``fits`` (the cells that it has seen),
        ``labels`` (whether it reads labels), ``n_cells``, ``n_test``, ``seconds``, ``cpu_seconds`` and ``peak_mb``
        (growth of memory; for a front, of all points together), and the columns of
        :func:`scpareto.audit.judge_codes` and :class:`scpareto.audit.LabelJudge`.
        """
        return self._results.table()

    def beside_front(self, *, x: str = "leakage_mean", y: str = "retention", front: str | None = None) -> pd.DataFrame:
        """Compare every method with a front: is a point of the front at least as good on both axes.

        Parameters
        ----------
        x, y
            Two columns of the table.
        front
            Name of the front; the only one, or ``paretovi``, unless given.

        Returns
        -------
        One row per method, setting and seed: its ``x`` and ``y``, ``dominated`` (by the estimates),
        ``dominated_within`` (up to the 95 % interval of the difference, from the intervals of both if they were
        measured), ``by`` (the point of the front that is closest to dominating it or dominates it most), and ``gain_x``
        and ``gain_y``, the gain at this point; negative values are losses. Leakage below 0 counts as 0.

        Raises
        ------
        ValueError
            If the front or a column does not exist.
        """
        return beside_front(self.to_dataframe(), x=x, y=y, front=front)

    def plot(
        self, *, x: str = "leakage_mean", y: str = "retention", intervals: bool = True, ax: Axes | None = None
    ) -> Axes:
        """Plot methods as points, sweeps and fronts as curves, averaged over seeds.

        Parameters
        ----------
        x, y
            Two columns of the table.
        intervals
            Whether to draw the intervals of points.
        ax
            Axes to draw on; by default of a new figure.

        Returns
        -------
        The axes, see :func:`scpareto.pl.front`.

        Raises
        ------
        ValueError
            If no method has finished, or a column has no values.
        """
        return draw_benchmark(self.to_dataframe(), x=x, y=y, intervals=intervals, ax=ax)

    def _cells(self, seed: int) -> Cells:
        split = self._split
        if split is None:
            split = stratified_split(self._all_cells.batch, fractions=self._fractions, seed=child_seed(seed, 0))
        return self._all_cells.with_split(split, seed=seed)

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
        base_row = self._base_row(task.method, method.family, cells) | {
            "setting": task.setting,
            "strength": task.strength,
            "fits": "training cells" if method.inductive else "all cells",
            "labels": method.reads_labels,
        }
        cost = Cost()
        try:
            method.check_installed()
            with measure_cost() as cost:
                returned = run_method(method, cells, task.options)
            return [base_row | row for row in _judge_to_rows(judge, returned, cost)]
        except Exception as error:
            logger.warning("%s %s failed: %s", task.method, task.setting, error, exc_info=True)
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            return [base_row | {"status": FAILED, "reason": reason, "seconds": cost.seconds}]

    def _base_row(self, name: str, family: str, cells: Cells) -> dict[str, Any]:
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


def _judge_to_rows(judge: CodesJudge, returned: NDArray | Points, cost: Cost) -> list[dict[str, Any]]:
    cost_columns = {"seconds": cost.seconds, "cpu_seconds": cost.cpu_seconds, "peak_mb": cost.peak_mb}
    if not isinstance(returned, Points):
        return [cost_columns | judge(returned)]
    return [
        cost_columns
        | {"point": number, "strength": returned.strength[number], "selected": number == returned.selected}
        | judge(codes)
        for number, codes in returned.codes.items()
    ]


def _match_rows(model: ParetoVI, adata: AnnData, name: str) -> NDArray[np.int64] | None:
    """Return the row of each cell in the data of a model, by its name; None if the order is the same."""
    model_names = list(model.adata.obs_names)
    return rows_by_name(
        list(adata.obs_names),
        model_names,
        of="adata",
        within=f"the data of fronts[{name!r}]",
        old_names=f"fronts[{name!r}].adata.obs_names",
    )


def _find_shared_split(fronts: Mapping[str, ParetoVI], rows: Mapping[str, NDArray[np.int64] | None]) -> Split | None:
    """Return the split that all given models share, as rows of the data."""
    splits = {}
    for name, model in fronts.items():
        if model.front is None or not len(model.front):
            raise ValueError(f"fronts[{name!r}] has no front yet: train it first.")
        rows_of_parts = [np.asarray(getattr(model, f"{p}_indices_")) for p in ("train", "validation", "test")]
        if (order := rows[name]) is not None:
            position = np.argsort(order)
            rows_of_parts = [np.sort(position[part]) for part in rows_of_parts]
        splits[name] = Split(*rows_of_parts)
    first = next(iter(splits.values()), None)
    for name, split in splits.items():
        if first is not None and not np.array_equal(first.test, split.test):
            raise ValueError(f"fronts[{name!r}] was judged on other test cells than {next(iter(splits))!r}.")
    return first
