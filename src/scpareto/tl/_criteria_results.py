"""Judge labels, condition and control genes: columns, tables and sentences."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.audit import (
    add_label_columns,
    compute_population_table,
    judge_condition,
    log_expression,
    populations_sentence,
    scib_columns,
)
from scpareto.metrics import genes_kept

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from scipy import sparse

    from scpareto.audit import Frame, JudgeResult
    from scpareto.metrics import LostContrasts
    from scpareto.tl._criteria import JudgeCriteria

_MAX_LISTED = 3
_MOSTLY_BETWEEN = 50.0
"""If more of a gene's pattern, in percent, lies between batches, the sentence says so."""


@dataclass(eq=False)
class CriteriaResults:
    """Results for the criteria.

    Attributes
    ----------
    columns
        Further columns of the table, one row per embedding.
    lost
        Differences that are lost, with labels if there are any.
    alarm_by
        Reasons of the alarm, by embedding.
    record
        Further tables of the record.
    first_sentences, sentences
        Sentences that come before all others, and after the alarms.
    notes
        Notes for the reader.
    """

    columns: pd.DataFrame
    lost: LostContrasts | None
    alarm_by: dict[str, list[str]] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    first_sentences: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_alarm(self, name: str, reason: str) -> None:
        """Add a reason for the alarm of an embedding."""
        self.alarm_by.setdefault(name, []).append(reason)


def judge_criteria(
    criteria: JudgeCriteria,
    frame: Frame,
    judged: JudgeResult,
    expression: Any,
    *,
    names: list[str],
    codes: Mapping[str, NDArray[np.float64]],
    graphs: Mapping[str, sparse.csr_matrix],
    reference: str,
    n_bootstrap: int,
) -> CriteriaResults:
    """Judge the criteria, and compute the table of populations.

    Parameters
    ----------
    criteria
        Labels, condition and genes.
    frame
        Reference components, populations and counts of the judge.
    judged
        Results for batch and structure.
    expression
        Counts or log-normalised values, shape ``(n_cells, n_genes)``.
    names
        Embeddings and graphs in the order of the table.
    codes, graphs
        Judged embeddings and graphs, by name.
    reference
        Name of the uncorrected reference.
    n_bootstrap
        Draws of the intervals.
    """
    results = CriteriaResults(pd.DataFrame(index=pd.Index(names, name="use_rep")), judged.lost)
    if judged.lost is not None:
        for name, rings in judged.lost.value.items():
            if rings and name in names:
                results.add_alarm(name, "differences between cells")
    if criteria.condition is not None:
        _condition(results, criteria.condition, criteria.condition_name, frame, codes, reference, n_bootstrap)
    if criteria.genes:
        _genes(results, criteria, frame, expression, dict(codes) | dict(graphs), reference, n_bootstrap)
    if criteria.labels is not None:
        codes_in_table = {name: z for name, z in codes.items() if name in names}
        scores, sentences = scib_columns(frame, codes_in_table, criteria.labels)
        results.columns = results.columns.join(scores)
        results.notes.append(sentences)
        if judged.lost is not None:
            labelled = add_label_columns(judged.lost, np.asarray(frame.batch).astype(str), criteria.labels)
            results.lost = replace(judged.lost, table=labelled)
    _populations(results, criteria, frame, judged, expression, names, reference)
    results.sentences.sort(key=lambda text: not text.startswith("Alarm"))
    return results


def _condition(
    results: CriteriaResults,
    condition: NDArray[np.str_],
    key: str,
    frame: Frame,
    codes: Mapping[str, NDArray[np.float64]],
    reference: str,
    n_bootstrap: int,
) -> None:
    kept = judge_condition(frame, codes, condition, name=key, reference=reference, n_bootstrap=n_bootstrap)
    interval_columns = {"kept": f"{key}_kept", "low": f"{key}_kept_low", "high": f"{key}_kept_high"}
    table = kept.table.rename(columns=interval_columns).reindex(results.columns.index)
    results.columns = results.columns.join(table[list(interval_columns.values())].astype(float))
    results.notes += kept.notes
    results.record["protected"] = {"key": key, "design": kept.design}
    if kept.design == "confounded":
        results.first_sentences.append(
            f"{key} and batch are the same partition of the cells: removing the batch removes {key}, and no number "
            "here can tell one from the other"
        )
        return
    if kept.design == "few batches":
        results.first_sentences.append(
            f"What is kept of {key} cannot be said: each batch has one {key}, and not every {key} has three batches, "
            f"so that nothing tells batch from {key}"
        )
        return
    rows = kept.table.reindex(results.columns.index).dropna(subset=["kept"])
    if rows.empty:
        results.sentences.append(kept.notes[-1].rstrip("."))
    for name, row in rows.iterrows():
        if row["alarm"]:
            results.add_alarm(str(name), key)
    alarmed = rows["alarm"].astype(bool)
    for name, row in rows[alarmed].iterrows():
        results.sentences.append(f"Alarm: {name} keeps only {_percent(row)} of the information about {key}")
    if len(kept_rows := rows[~alarmed]) > _MAX_LISTED:
        share = f"{kept_rows['kept'].min():.0f} % or more"
        results.sentences.append(
            f"{len(kept_rows)} of {len(rows)} embeddings keep the information about {key} ({share})"
        )
    elif len(kept_rows):
        listed = ", ".join(f"{name} {_percent(row)}" for name, row in kept_rows.iterrows())
        results.sentences.append(f"Information about {key} kept: {listed}")


def _percent(row: pd.Series) -> str:
    return f"{row['kept']:.0f} % ({row['low']:.0f} to {row['high']:.0f})"


def _genes(
    results: CriteriaResults,
    criteria: JudgeCriteria,
    frame: Frame,
    expression: Any,
    representations: dict[str, Any],
    reference: str,
    n_bootstrap: int,
) -> None:
    columns = [frame.genes.index(gene) for gene in criteria.genes]
    table = genes_kept(
        log_expression(expression, is_counts=frame.counts is not None, genes=columns),
        representations | ({} if reference in representations else {reference: frame.components}),
        frame.batch,
        reference=reference,
        genes=criteria.genes,
        populations=frame.labels,
        sample=frame.sample,
        n_bootstrap=n_bootstrap,
        seed=frame.seed,
    )
    results.record["control_genes"] = table
    if held_out := list(dict.fromkeys(table.loc[table["kept"].isna(), "gene"])):
        results.notes.append(f"Too few cells show {', '.join(held_out)} in the uncorrected data: no percentage.")
    for name, rows in table[table["alarm"]].groupby("embedding", sort=False):
        if name not in results.columns.index:
            continue
        listed = ", ".join(f"{row['gene']} ({row['kept']:.0f} % kept)" for _, row in rows.iterrows())
        results.sentences.append(f"Alarm: {name} lost the pattern of {listed}")
        results.add_alarm(str(name), ", ".join(rows["gene"]))
    lost_between_batches = table[table["alarm"] & (table["between_batches"] > _MOSTLY_BETWEEN)].drop_duplicates("gene")
    if len(lost_between_batches):
        sentences = ", ".join(
            f"{row['gene']} ({row['between_batches']:.0f} %)" for _, row in lost_between_batches.iterrows()
        )
        results.sentences.append(
            f"Most of the pattern of {sentences} lies between batches: what removes the batch removes it"
        )
    if len(table) and not table["alarm"].any() and table["kept"].notna().any():
        worst = table.sort_values("kept").iloc[0]
        results.sentences.append(
            f"The control genes are kept (least: {worst['gene']} in {worst['embedding']}, {worst['kept']:.0f} %)"
        )


def _populations(
    results: CriteriaResults,
    criteria: JudgeCriteria,
    frame: Frame,
    judged: JudgeResult,
    expression: Any,
    names: list[str],
    reference: str,
) -> None:
    table = compute_population_table(
        frame, judged, expression, names=names, reference=reference, labels=criteria.labels
    )
    results.record["populations"] = table
    results.record["populations_sentence"] = populations_sentence(table, names)
