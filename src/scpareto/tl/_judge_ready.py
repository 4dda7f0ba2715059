"""What is judged, made ready and checked before any work, and the judgement itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto._cells import as_rows, rows_of
from scpareto.audit import COMPONENTS, build_frame, judge_embeddings
from scpareto.tl._answers import answer
from scpareto.tl._asked import what_is_asked
from scpareto.tl._held_out import check_held_out, held_out_columns
from scpareto.tl._judge_inputs import judge_inputs, where_counts_are
from scpareto.tl._judge_options import check_cells, check_shared, held_out_mask, samples_in_several_batches
from scpareto.tl._judged_cells import MOST_CELLS, judged_cells

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from scpareto.audit import Frame, JudgeResult
    from scpareto.metrics import BatchLeft, StructureKept
    from scpareto.tl._answers import Answers
    from scpareto.tl._asked import Asked
    from scpareto.tl._judge_inputs import JudgeInputs
    from scpareto.tl._judged_cells import JudgedCells
    from scpareto.tl._modalities import Source


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """How embeddings are judged, as :func:`scpareto.tl.judge` says."""

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
    max_cells: int = MOST_CELLS
    seed: int = 0


@dataclass(eq=False)
class Ready:
    """What is judged.

    Attributes
    ----------
    options
        How it is judged.
    chosen
        The cells that are judged.
    inputs
        Arrays of them.
    asked
        What is asked besides batch and structure.
    unseen
        Mask of judged cells that no training has seen; None where that is not known.
    notes
        What a reader must know of the cells.
    """

    options: JudgeOptions
    chosen: JudgedCells
    inputs: JudgeInputs
    asked: Asked
    unseen: NDArray[np.bool_] | None
    notes: list[str]

    @property
    def reference(self) -> str:
        """Name of what nothing has corrected."""
        return self.options.reference or COMPONENTS


@dataclass(eq=False)
class Judgement:
    """What was found.

    Attributes
    ----------
    table
        One row per embedding: the columns of :func:`scpareto.tl.judge` but the recommendation.
    differences
        Paired differences of ``batch_left`` that the recommendation goes by.
    left, kept
        What is left of the batch and kept of the structure.
    answers
        Answers to what else is asked, with lost differences and alarms.
    judged
        The same of further sets of cells.
    frame
        What it was judged by.
    """

    table: pd.DataFrame
    differences: pd.DataFrame
    left: BatchLeft
    kept: StructureKept | None
    answers: Answers
    judged: JudgeResult
    frame: Frame


def make_ready(
    source: Source,
    use_rep: Sequence[str],
    neighbors_key: Sequence[str],
    options: JudgeOptions,
    *,
    codes_follow: bool = False,
) -> Ready:
    """Take what is judged from annotated data, and check all of it.

    Parameters
    ----------
    source
        Cells, counts and embeddings.
    use_rep, neighbors_key
        Keys of embeddings and graphs.
    options
        How they are judged.
    codes_follow
        Whether embeddings are given later, to :func:`judge_ready`.

    Raises
    ------
    KeyError, ValueError, TypeError
        As :func:`scpareto.tl.judge` raises them.
    """
    check_cells(source.adata)
    unseen = held_out_mask(source.adata, options.held_out)
    chosen = judged_cells(
        source,
        use_rep,
        batch_key=options.batch_key,
        sample_key=options.sample_key,
        neighbors_key=neighbors_key,
        held_out=unseen,
        max_cells=options.max_cells,
        seed=options.seed,
    )
    inputs = judge_inputs(
        chosen.adata,
        use_rep,
        batch_key=options.batch_key,
        layer=source.layer,
        sample_key=options.sample_key,
        neighbors_key=neighbors_key,
        used_genes=options.used_genes,
        codes_follow=codes_follow,
    )
    asked = what_is_asked(
        chosen.adata,
        batch_key=options.batch_key,
        labels_key=options.labels_key,
        protect_key=options.protect_key,
        control_genes=options.control_genes,
    )
    if options.reference is None and COMPONENTS in inputs.codes | inputs.graphs:
        raise ValueError(f"{COMPONENTS!r} is the name of the reference that is computed here: rename the embedding.")
    if unseen is not None:
        unseen = chosen.of(unseen)
        check_held_out(unseen, inputs.batch)
    notes = [*chosen.notes, *samples_in_several_batches(inputs.sample, inputs.batch)]
    if not inputs.is_counts:
        where = where_counts_are(source.adata)
        notes.append(f"structure_kept is not measured: {source.place} holds no counts.{where}")
    return Ready(options, chosen, inputs, asked, unseen, notes)


def frame_of_ready(ready: Ready) -> tuple[Frame, Any]:
    """Find what embeddings are judged by; also return the counts in memory.

    Raises
    ------
    ValueError
        If batches share no population.
    """
    inputs, options = ready.inputs, ready.options
    expression = rows_of(as_rows(inputs.expression), slice(None))
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


def judge_ready(
    ready: Ready,
    codes: Mapping[str, NDArray[Any]] | None = None,
    *,
    names: Sequence[str] = (),
    parts: Mapping[str, NDArray[np.int64]] | None = None,
    framed: tuple[Frame, Any] | None = None,
) -> Judgement:
    """Judge what is ready.

    Parameters
    ----------
    ready
        What is judged.
    codes
        Embeddings of the judged cells by name, where they were not ready.
    names
        Embeddings of the table, in its order; with ``codes`` these.
    parts
        Rows of further sets of judged cells, by name, of which what is left is judged.
    framed
        What :func:`frame_of_ready` has found, where that was asked for before.

    Raises
    ------
    ValueError
        If batches share no population.
    """
    inputs, options = ready.inputs, ready.options
    names = list(names) if codes is None else list(codes)
    codes = inputs.codes if codes is None else dict(codes)
    frame, expression = framed or frame_of_ready(ready)
    whole = ready.chosen.rows is None
    sets = dict(parts or {})
    if ready.unseen is not None:
        sets["held out"] = np.flatnonzero(ready.unseen)
    judged = judge_embeddings(
        frame,
        codes,
        graphs=inputs.graphs,
        whole_graphs=whole,
        reference=ready.reference,
        parts=sets or None,
        batch_left_only=set(parts or {}),
        n_bootstrap=options.n_bootstrap,
    )
    left, kept = judged.left, judged.kept
    if left is None:
        raise ValueError(frame.reason)
    table, differences = _table(names, list(inputs.graphs), left, kept), left.differences
    if ready.unseen is not None and (alone := judged.parts["held out"]).left is not None:
        table, differences = table.join(held_out_columns(alone.left, alone.kept)), alone.left.differences
    answers = answer(
        ready.asked,
        frame,
        judged,
        expression,
        names=list(table.index),
        codes=codes,
        graphs=inputs.graphs if whole else {},
        reference=ready.reference,
        n_bootstrap=options.n_bootstrap,
    )
    table = table.join(answers.columns)
    table["alarm"] = [name in answers.alarm_by for name in table.index]
    table["alarm_by"] = ["; ".join(answers.alarm_by.get(str(name), [])) for name in table.index]
    return Judgement(table, differences, left, kept, answers, judged, frame)


def _table(names: list[str], graphs: list[str], left: BatchLeft, kept: StructureKept | None) -> pd.DataFrame:
    """One row per embedding and graph, the columns that come first first."""
    found = left.table
    table = pd.DataFrame(index=pd.Index(list(dict.fromkeys([*names, *graphs])), name="use_rep"))
    renamed = {"low": "batch_left_low", "high": "batch_left_high"}
    first = found.rename(columns=renamed).reindex(table.index)
    table = table.join(first[["batch_left", "batch_left_low", "batch_left_high"]])
    if kept is not None:
        ends = {"low": "structure_kept_low", "high": "structure_kept_high"}
        of_structure = kept.table.set_index("embedding").rename(columns=ends)
        table = table.join(of_structure[["structure_kept", *ends.values()]])
    else:
        table["structure_kept"] = np.nan
    rest = ["graph_mixing", "range_low", "range_high", "information", "marginal", "composition"]
    flags = ["no_batch_effect", "composition_erased", "reference_leaks_less"]
    table = table.join(first[[name for name in [*rest, *flags] if name in first]])
    for flag in flags:
        table[flag] = table[flag].eq(True)
    return table
