"""Read and check everything that is judged before any work, and run the judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import as_row_matrix, read_rows
from scpareto.audit import COMPONENTS, build_frame, judge_embeddings
from scpareto.tl._criteria import read_criteria
from scpareto.tl._criteria_results import judge_criteria
from scpareto.tl._held_out import check_held_out, held_out_columns
from scpareto.tl._judge_inputs import read_inputs, suggest_counts
from scpareto.tl._judge_options import check_cells, check_shared, read_held_out, samples_in_several_batches
from scpareto.tl._judged_cells import MAX_JUDGED_CELLS, choose_cells

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from scpareto.audit import Frame, JudgeResult
    from scpareto.metrics import BatchLeft, StructureKept
    from scpareto.tl._criteria import JudgeCriteria
    from scpareto.tl._criteria_results import CriteriaResults
    from scpareto.tl._judge_inputs import JudgeInputs
    from scpareto.tl._judged_cells import JudgedCells
    from scpareto.tl._modalities import Source


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """Options of the judge, see :func:`scpareto.tl.judge`."""

    batch_key: str
    sample_key: str | None = None
    labels_key: str | None = None
    protect_key: str | None = None
    control_genes: str | Sequence[str] = ()
    reference: str | None = None
    used_genes: str | ArrayLike | None = None
    held_out: str | ArrayLike | None = None
    thorough: bool = False
    n_bootstrap: int = 300
    max_cells: int = MAX_JUDGED_CELLS
    seed: int = 0


@dataclass(eq=False)
class JudgeTask:
    """Cells, arrays and options of one run of the judge.

    Attributes
    ----------
    options
        Options of the judge.
    cells
        The cells that are judged.
    inputs
        Their arrays.
    criteria
        What is judged besides batch and structure.
    held_out
        Mask of judged cells that no training has seen; None if unknown.
    notes
        Notes about the cells.
    """

    options: JudgeOptions
    cells: JudgedCells
    inputs: JudgeInputs
    criteria: JudgeCriteria
    held_out: NDArray[np.bool_] | None
    notes: list[str]

    @property
    def reference(self) -> str:
        """Name of the uncorrected reference."""
        return self.options.reference or COMPONENTS


@dataclass(eq=False)
class Judgement:
    """Results of the judge.

    Attributes
    ----------
    table
        One row per embedding: the columns of :func:`scpareto.tl.judge` except the recommendation.
    differences
        Paired differences of ``batch_left`` on which the recommendation is based.
    left, kept
        Batch left and structure kept.
    results
        Results for the criteria, with lost differences and alarms.
    judged
        Results of the audit, those of further sets of cells included.
    frame
        Reference components, populations and counts of the judge.
    """

    table: pd.DataFrame
    differences: pd.DataFrame
    left: BatchLeft
    kept: StructureKept | None
    results: CriteriaResults
    judged: JudgeResult
    frame: Frame


def make_judge_task(
    source: Source,
    use_rep: Sequence[str],
    neighbors_key: Sequence[str],
    options: JudgeOptions,
    *,
    without_embeddings: bool = False,
) -> JudgeTask:
    """Read everything that is judged, and check it.

    Parameters
    ----------
    source
        Cells, counts and embeddings.
    use_rep, neighbors_key
        Keys of embeddings and graphs.
    options
        Options of the judge.
    without_embeddings
        Whether embeddings are given later, to :func:`run_judge_task`.

    Raises
    ------
    KeyError, ValueError, TypeError
        As :func:`scpareto.tl.judge` raises them.
    """
    check_cells(source.adata)
    held_out = read_held_out(source.adata, options.held_out)
    cells = choose_cells(
        source,
        use_rep,
        batch_key=options.batch_key,
        sample_key=options.sample_key,
        neighbors_key=neighbors_key,
        held_out=held_out,
        max_cells=options.max_cells,
        seed=options.seed,
    )
    inputs = read_inputs(
        cells.adata,
        use_rep,
        batch_key=options.batch_key,
        layer=source.layer,
        sample_key=options.sample_key,
        neighbors_key=neighbors_key,
        used_genes=options.used_genes,
        without_embeddings=without_embeddings,
    )
    criteria = read_criteria(
        cells.adata,
        batch_key=options.batch_key,
        labels_key=options.labels_key,
        protect_key=options.protect_key,
        control_genes=options.control_genes,
    )
    if options.reference is None and COMPONENTS in inputs.codes | inputs.graphs:
        raise ValueError(f"{COMPONENTS!r} is the name of the reference that is computed here: rename the embedding.")
    if held_out is not None:
        held_out = cells.subset(held_out)
        check_held_out(held_out, inputs.batch)
    notes = [*cells.notes, *samples_in_several_batches(inputs.sample, inputs.batch)]
    if not inputs.is_counts:
        counts_hint = suggest_counts(source.adata)
        notes.append(f"structure_kept is not measured: {source.place} holds no counts.{counts_hint}")
    return JudgeTask(options, cells, inputs, criteria, held_out, notes)


def compute_frame(task: JudgeTask) -> tuple[Frame, Any]:
    """Compute reference components and populations; also return the counts in memory.

    Raises
    ------
    ValueError
        If batches share no population.
    """
    inputs, options = task.inputs, task.options
    expression = read_rows(as_row_matrix(inputs.expression), slice(None))
    frame = build_frame(
        expression,
        inputs.batch,
        is_counts=inputs.is_counts,
        genes=inputs.genes,
        used_genes=inputs.used_genes,
        sample=inputs.sample,
        covariates=inputs.covariates,
        thorough=options.thorough,
        seed=options.seed,
    )
    check_shared(frame.populations, options.batch_key)
    return frame, expression


def run_judge_task(
    task: JudgeTask,
    codes: Mapping[str, NDArray[Any]] | None = None,
    *,
    names: Sequence[str] = (),
    subsets: Mapping[str, NDArray[np.int64]] | None = None,
    frame_and_counts: tuple[Frame, Any] | None = None,
) -> Judgement:
    """Run the judge.

    Parameters
    ----------
    task
        Cells, arrays and options.
    codes
        Embeddings of the judged cells by name, if ``task`` holds none.
    names
        Embeddings of the table, in its order; with ``codes`` all of them.
    subsets
        Rows of further sets of judged cells, by name, whose ``batch_left`` is measured too.
    frame_and_counts
        Result of :func:`compute_frame`, if it was computed before.

    Raises
    ------
    ValueError
        If batches share no population.
    """
    inputs, options = task.inputs, task.options
    names = list(names) if codes is None else list(codes)
    codes = inputs.codes if codes is None else dict(codes)
    frame, expression = frame_and_counts or compute_frame(task)
    all_judged = task.cells.rows is None
    all_subsets = dict(subsets or {})
    if task.held_out is not None:
        all_subsets["held out"] = np.flatnonzero(task.held_out)
    judged = judge_embeddings(
        frame,
        codes,
        graphs=inputs.graphs,
        whole_graphs=all_judged,
        reference=task.reference,
        parts=all_subsets or None,
        batch_left_only=set(subsets or {}),
        n_bootstrap=options.n_bootstrap,
    )
    left, kept = judged.left, judged.kept
    if left is None:
        raise ValueError(frame.reason)
    table, differences = _table(names, list(inputs.graphs), left, kept), left.differences
    if task.held_out is not None and (held_out_scores := judged.parts["held out"]).left is not None:
        table, differences = (
            table.join(held_out_columns(held_out_scores.left, held_out_scores.kept)),
            held_out_scores.left.differences,
        )
    results = judge_criteria(
        task.criteria,
        frame,
        judged,
        expression,
        names=list(table.index),
        codes=codes,
        graphs=inputs.graphs if all_judged else {},
        reference=task.reference,
        n_bootstrap=options.n_bootstrap,
    )
    table = table.join(results.columns)
    table["alarm"] = [name in results.alarm_by for name in table.index]
    table["alarm_by"] = ["; ".join(results.alarm_by.get(str(name), [])) for name in table.index]
    return Judgement(table, differences, left, kept, results, judged, frame)


def _table(names: list[str], graphs: list[str], left: BatchLeft, kept: StructureKept | None) -> pd.DataFrame:
    """Return the first columns of the table, one row per embedding and graph."""
    left_table = left.table
    table = pd.DataFrame(index=pd.Index(list(dict.fromkeys([*names, *graphs])), name="use_rep"))
    renamed = {"low": "batch_left_low", "high": "batch_left_high"}
    renamed_left = left_table.rename(columns=renamed).reindex(table.index)
    table = table.join(renamed_left[["batch_left", "batch_left_low", "batch_left_high"]])
    if kept is not None:
        interval_columns = {"low": "structure_kept_low", "high": "structure_kept_high"}
        of_structure = kept.table.set_index("embedding").rename(columns=interval_columns)
        table = table.join(of_structure[["structure_kept", *interval_columns.values()]])
    else:
        table["structure_kept"] = np.nan
    rest = ["graph_mixing", "range_low", "range_high", "information", "marginal", "composition"]
    flags = ["no_batch_effect", "composition_erased", "reference_leaks_less"]
    table = table.join(renamed_left[[name for name in [*rest, *flags] if name in renamed_left]])
    for flag in flags:
        table[flag] = table[flag].eq(True)
    return table
