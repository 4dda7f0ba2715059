"""Answers to what a user asks besides batch and structure, as columns, tables and words."""

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
    from scpareto.tl._asked import Asked

_MOST_TOLD = 3
_BETWEEN = 50.0
"""Percent of a gene's pattern between batches from which on the sentence says that removing the batch removes it."""


@dataclass(eq=False)
class Answers:
    """What was found.

    Attributes
    ----------
    columns
        Further columns of the table, one row per embedding.
    lost
        Differences that are lost, with labels where they are known.
    alarm_by
        For each embedding what rings, in words.
    record
        Further tables of the record.
    first, told
        Sentences that come before all others, and after.
    notes
        What a reader must know.
    """

    columns: pd.DataFrame
    lost: LostContrasts | None
    alarm_by: dict[str, list[str]] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def rings(self, name: str, what: str) -> None:
        """Note that an alarm rings for an embedding."""
        self.alarm_by.setdefault(name, []).append(what)


def answer(
    asked: Asked,
    frame: Frame,
    judged: JudgeResult,
    expression: Any,
    *,
    names: list[str],
    codes: Mapping[str, NDArray[np.float64]],
    graphs: Mapping[str, sparse.csr_matrix],
    reference: str,
    n_bootstrap: int,
) -> Answers:
    """Answer what is asked, and tell populations apart.

    Parameters
    ----------
    asked
        Labels, condition and genes.
    frame
        What embeddings were judged by.
    judged
        What was found of batch and structure.
    expression
        Counts or log-normalised values, shape ``(n_cells, n_genes)``.
    names
        Embeddings and graphs in the order of the table.
    codes, graphs
        What is judged, by name.
    reference
        Name of what nothing has corrected.
    n_bootstrap
        Draws of the intervals.
    """
    found = Answers(pd.DataFrame(index=pd.Index(names, name="use_rep")), judged.lost)
    if judged.lost is not None:
        for name, rings in judged.lost.value.items():
            if rings and name in names:
                found.rings(name, "differences between cells")
    if asked.condition is not None:
        _condition(found, asked.condition, asked.condition_name, frame, codes, reference, n_bootstrap)
    if asked.genes:
        _genes(found, asked, frame, expression, dict(codes) | dict(graphs), reference, n_bootstrap)
    if asked.labels is not None:
        own = {name: z for name, z in codes.items() if name in names}
        scores, told = scib_columns(frame, own, asked.labels)
        found.columns = found.columns.join(scores)
        found.notes.append(told)
        if judged.lost is not None:
            labelled = add_label_columns(judged.lost, np.asarray(frame.batch).astype(str), asked.labels)
            found.lost = replace(judged.lost, table=labelled)
    _populations(found, asked, frame, judged, expression, names, reference)
    found.told.sort(key=lambda text: not text.startswith("Alarm"))
    return found


def _condition(
    found: Answers,
    condition: NDArray[np.str_],
    key: str,
    frame: Frame,
    codes: Mapping[str, NDArray[np.float64]],
    reference: str,
    n_bootstrap: int,
) -> None:
    kept = judge_condition(frame, codes, condition, name=key, reference=reference, n_bootstrap=n_bootstrap)
    ends = {"kept": f"{key}_kept", "low": f"{key}_kept_low", "high": f"{key}_kept_high"}
    table = kept.table.rename(columns=ends).reindex(found.columns.index)
    found.columns = found.columns.join(table[list(ends.values())].astype(float))
    found.notes += kept.notes
    found.record["protected"] = {"key": key, "design": kept.design}
    if kept.design == "confounded":
        found.first.append(
            f"{key} and batch are the same partition of the cells: removing the batch removes {key}, and no number "
            "here can tell one from the other"
        )
        return
    if kept.design == "few batches":
        found.first.append(
            f"What is kept of {key} cannot be said: each batch has one {key}, and not every {key} has three batches, "
            f"so that nothing tells batch from {key}"
        )
        return
    rows = kept.table.reindex(found.columns.index).dropna(subset=["kept"])
    if rows.empty:
        found.told.append(kept.notes[-1].rstrip("."))
    for name, row in rows.iterrows():
        if row["alarm"]:
            found.rings(str(name), key)
    alarmed = rows["alarm"].astype(bool)
    for name, row in rows[alarmed].iterrows():
        found.told.append(f"Alarm: {name} keeps only {_percent(row)} of the information about {key}")
    if len(well := rows[~alarmed]) > _MOST_TOLD:
        least = f"{well['kept'].min():.0f} % or more"
        found.told.append(f"{len(well)} of {len(rows)} embeddings keep the information about {key} ({least})")
    elif len(well):
        listed = ", ".join(f"{name} {_percent(row)}" for name, row in well.iterrows())
        found.told.append(f"Information about {key} kept: {listed}")


def _percent(row: pd.Series) -> str:
    return f"{row['kept']:.0f} % ({row['low']:.0f} to {row['high']:.0f})"


def _genes(
    found: Answers,
    asked: Asked,
    frame: Frame,
    expression: Any,
    everything: dict[str, Any],
    reference: str,
    n_bootstrap: int,
) -> None:
    columns = [frame.genes.index(gene) for gene in asked.genes]
    table = genes_kept(
        log_expression(expression, is_counts=frame.counts is not None, genes=columns),
        everything | ({} if reference in everything else {reference: frame.components}),
        frame.batch,
        reference=reference,
        genes=asked.genes,
        populations=frame.labels,
        sample=frame.sample,
        n_bootstrap=n_bootstrap,
        seed=frame.seed,
    )
    found.record["control_genes"] = table
    if unseen := list(dict.fromkeys(table.loc[table["kept"].isna(), "gene"])):
        found.notes.append(f"Too few cells show {', '.join(unseen)} in the uncorrected data: no percentage.")
    for name, rows in table[table["alarm"]].groupby("embedding", sort=False):
        if name not in found.columns.index:
            continue
        listed = ", ".join(f"{row['gene']} ({row['kept']:.0f} % kept)" for _, row in rows.iterrows())
        found.told.append(f"Alarm: {name} lost the pattern of {listed}")
        found.rings(str(name), ", ".join(rows["gene"]))
    rung = table[table["alarm"] & (table["between_batches"] > _BETWEEN)].drop_duplicates("gene")
    if len(rung):
        told = ", ".join(f"{row['gene']} ({row['between_batches']:.0f} %)" for _, row in rung.iterrows())
        found.told.append(f"Most of the pattern of {told} lies between batches: what removes the batch removes it")
    if len(table) and not table["alarm"].any() and table["kept"].notna().any():
        worst = table.sort_values("kept").iloc[0]
        found.told.append(
            f"The control genes are kept (least: {worst['gene']} in {worst['embedding']}, {worst['kept']:.0f} %)"
        )


def _populations(
    found: Answers,
    asked: Asked,
    frame: Frame,
    judged: JudgeResult,
    expression: Any,
    names: list[str],
    reference: str,
) -> None:
    table = compute_population_table(frame, judged, expression, names=names, reference=reference, labels=asked.labels)
    found.record["populations"] = table
    found.record["populations_sentence"] = populations_sentence(table, names)
