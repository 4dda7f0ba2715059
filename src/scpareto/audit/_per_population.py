"""Batch left and structure kept in each shared population, named by its label or its marker genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.audit._frame import log_expression
from scpareto.audit._label_columns import most_common_label
from scpareto.metrics import stratified_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scpareto.audit._frame import Frame
    from scpareto.audit._judge_embeddings import JudgeResult

NO_COUNTERPART = "no counterpart in another batch"
_MAX_CELLS = 20_000
_N_MARKERS = 5
_N_NAMING_MARKERS = 3
_MIN_LABEL_SHARE = 0.5
"""Share of the labelled cells of a population that its most common label needs to become its name."""
_MIN_STRUCTURE_LOSS = 5.0
"""Percentage points of structure below the reference from which a population counts as changed."""
_MIN_BATCH_LEFT = 10.0
"""Percentage of batch left from which the batch may count as still present in a population."""
_MAX_NAMED = 2
"""Populations of each kind that the sentence names for an embedding."""


def compute_population_table(
    frame: Frame,
    judged: JudgeResult,
    expression: Any,
    *,
    names: Sequence[str],
    reference: str,
    labels: NDArray[np.object_] | None = None,
) -> pd.DataFrame:
    """Return one row per population and embedding.

    Parameters
    ----------
    frame
        What embeddings were judged by; the table has its middle resolution.
    judged
        Judgement of the embeddings.
    expression
        Counts or log-normalised values, shape ``(n_cells, n_genes)``.
    names
        Embeddings of the table.
    reference
        Name of the uncorrected embedding. Structure is lost where an embedding keeps less than this one.
    labels
        Type of each cell, None where it is unknown.

    Returns
    -------
    ``population``, ``name``, ``embedding``, ``n_cells``, ``markers``, with labels ``label`` and ``label_share``,
    ``batch_left`` and ``structure_kept`` with ``_low`` and ``_high``, ``structure_of_reference``, the flags
    ``batch_stays`` and ``structure_lost``, and cells of each batch as ``cells_<batch>``.
    """
    shared = np.full(len(frame.batch), -1) if frame.labels is None else frame.labels
    numbers = [int(p) for p in np.unique(shared)]
    numbers = [p for p in numbers if p >= 0] + [p for p in numbers if p < 0]
    batch = np.asarray(frame.batch).astype(str)
    # Markers of a sample are as good, and its normalised copy is small.
    rows = stratified_rows(np.unique(batch, return_inverse=True)[1], shared, _MAX_CELLS, seed=frame.seed)
    normal = log_expression(expression[rows], is_counts=frame.counts is not None)
    markers = find_markers(normal, shared[rows], batch[rows], frame.genes)
    description = pd.DataFrame({"population": numbers, "name": ""})
    description["n_cells"] = [int((shared == p).sum()) for p in numbers]
    description["markers"] = [", ".join(markers.get(p, [])) for p in numbers]
    if labels is not None:
        label_shares = [most_common_label(labels, shared == p) for p in numbers]
        description["label"] = [name for name, _ in label_shares]
        description["label_share"] = [share for _, share in label_shares]
    description["name"] = _names(description)
    for name in np.unique(batch):
        column = f"cells_{name}".replace("/", "_")  # h5ad takes no slash in a name
        description[column] = [int(((shared == p) & (batch == name)).sum()) for p in numbers]

    renamed = {"low": "batch_left_low", "high": "batch_left_high"}
    values, overall = (
        pd.DataFrame(columns=["population", "embedding", "batch_left", *renamed.values()]),
        pd.Series(dtype=float),
    )
    if judged.left is not None:
        left = judged.left.populations
        left = left[left["resolution"] == len(frame.populations) // 2]
        values = left[["population", "embedding", "batch_left", "low", "high"]].rename(columns=renamed)
        overall = judged.left.table["high"]
    if judged.kept is not None:
        ends = {"low": "structure_kept_low", "high": "structure_kept_high"}
        kept = judged.kept.per_population.rename(columns=ends).drop(columns="n_cells")
        values = values.merge(kept, on=["population", "embedding"], how="outer")
        of_reference = kept[kept["embedding"] == reference].set_index("population")
    else:
        values = values.assign(structure_kept=np.nan, structure_kept_low=np.nan, structure_kept_high=np.nan)
        of_reference = pd.DataFrame(columns=["structure_kept", "structure_kept_low"])
    values["structure_of_reference"] = values["population"].map(of_reference["structure_kept"]).astype(float)
    above = np.maximum(overall.reindex(values["embedding"]).to_numpy(dtype=float), _MIN_BATCH_LEFT)
    values["batch_stays"] = values["batch_left_low"].to_numpy(dtype=float) > above
    floor = values["population"].map(of_reference["structure_kept_low"]).astype(float)
    below = values["structure_of_reference"] - values["structure_kept"] > _MIN_STRUCTURE_LOSS
    values["structure_lost"] = below & (values["structure_kept_high"] < floor)
    values = values[values["embedding"].isin(names)]
    table = description.merge(values, on="population")
    first = ["population", "name", "embedding", "n_cells", "batch_left", "batch_left_low", "batch_left_high"]
    first += ["structure_kept", "structure_kept_low", "structure_kept_high", "structure_of_reference"]
    first += ["batch_stays", "structure_lost", "markers"]
    # In the given order, which decides the colours of plots.
    order = {key: i for keys in (numbers, names) for i, key in enumerate(keys)}
    table = table.sort_values(["population", "embedding"], key=lambda values: values.map(order), ignore_index=True)
    return table[first + [name for name in table if name not in first]]


def find_markers(
    expression: Any, labels: NDArray[np.int64], batch: NDArray[np.str_], genes: Sequence[str]
) -> dict[int, list[str]]:
    """Return the genes that distinguish each population from the other cells of the same batches, the best first.

    Genes are ranked by the difference of their means times the difference of the shares of cells that express them.
    This excludes genes that all cells express, such as ribosomal genes.
    """
    means: dict[tuple[int, str], NDArray[np.float64]] = {}
    shares: dict[tuple[int, str], NDArray[np.float64]] = {}
    size: dict[tuple[int, str], int] = {}
    for b in np.unique(batch):
        for p in np.unique(labels):
            rows = np.flatnonzero((batch == b) & (labels == p))
            if len(rows):
                values = expression[rows]
                size[p, b] = len(rows)
                means[p, b] = np.asarray(values.sum(axis=0), dtype=float).ravel()
                shares[p, b] = np.asarray((values > 0).sum(axis=0), dtype=float).ravel()
    markers: dict[int, list[str]] = {}
    for p in np.unique(labels):
        scores = np.zeros(len(genes))
        for b in np.unique(batch):
            others = [key for key in size if key[1] == b and key[0] != p]
            if (p, b) not in size or not others:
                continue
            n, m = size[p, b], sum(size[key] for key in others)
            higher = means[p, b] / n - sum(means[key] for key in others) / m
            more_frequent = shares[p, b] / n - sum(shares[key] for key in others) / m
            # Batches with more cells of the population get more weight.
            scores += np.sqrt(n) * np.clip(higher, 0, None) * np.clip(more_frequent, 0, None)
        best = np.argsort(-scores, kind="stable")[:_N_MARKERS]
        markers[int(p)] = [str(genes[g]) for g in best if scores[g] > 0]
    return markers


def _names(description: pd.DataFrame) -> list[str]:
    """Return a unique name for each population: its label where most cells share one, else its markers."""
    names = []
    labelled = (
        description["label"].where(description["label_share"] >= _MIN_LABEL_SHARE, "")
        if "label" in description
        else None
    )
    for row, (population, markers) in enumerate(zip(description["population"], description["markers"], strict=True)):
        genes = ", ".join(markers.split(", ")[:_N_NAMING_MARKERS])
        if population < 0:
            kind = labelled.iloc[row] if labelled is not None and labelled.iloc[row] else genes
            names.append(f"{NO_COUNTERPART} ({kind})" if kind else NO_COUNTERPART)
        elif labelled is not None and labelled.iloc[row]:
            label = labelled.iloc[row]
            names.append(f"{label} ({genes})" if (labelled == label).sum() > 1 and genes else label)
        else:
            names.append(genes or f"population {population}")
    return [
        f"{name} [{description['population'].iloc[i]}]" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]


def populations_sentence(table: pd.DataFrame, embeddings: Sequence[str]) -> str:
    """Say in which populations the batch stays, and which have lost structure."""
    sentences, unremarkable = [], []
    for name in embeddings:
        rows = table[(table["embedding"] == name) & (table["population"] >= 0)]
        stays = rows[rows["batch_stays"]].sort_values("batch_left", ascending=False).head(_MAX_NAMED)
        lost = rows[rows["structure_lost"]].sort_values("structure_kept").head(_MAX_NAMED)
        parts = [f"{row['name']} still hold {row['batch_left']:.0f} % of the batch" for _, row in stays.iterrows()]
        parts += [
            f"{row['name']} lost structure ({row['structure_kept']:.0f} % kept, uncorrected "
            f"{row['structure_of_reference']:.0f} %)"
            for _, row in lost.iterrows()
        ]
        if parts:
            sentences.append(f"{name}: {'; '.join(parts)}")
        else:
            unremarkable.append(name)
    if unremarkable:
        sentences.append(f"{', '.join(unremarkable)}: no population stands out")
    return ". ".join(sentences) + "."
