"""What is left and kept in each population that batches share, under a name that a biologist knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scpareto.audit._frame import log_expression
from scpareto.audit._label_columns import commonest
from scpareto.metrics import stratified_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scpareto.audit._frame import Frame
    from scpareto.audit._judge_embeddings import JudgeResult

NO_COUNTERPART = "no counterpart in another batch"
_MOST_CELLS = 20_000
_N_MARKERS = 5
_NAMED_BY = 3
_LEAST_SHARE = 0.5
"""Share of a population's labelled cells that its commonest label needs to name it."""
_LEAST_LOSS = 5.0
"""Points of percent of structure below the reference that are worth a word."""
_LEAST_LEFT = 10.0
"""Percent of the batch left that are worth a word."""
_MOST_TOLD = 2
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
        What embeddings were judged by; its middle resolution is told.
    judged
        What was found.
    expression
        Counts or log-normalised values, shape ``(n_cells, n_genes)``.
    names
        Embeddings that are told.
    reference
        Name of the embedding that nothing has corrected: structure is lost where less is kept than it keeps.
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
    # A sample tells markers as well, and its normalised copy is small.
    rows = stratified_rows(np.unique(batch, return_inverse=True)[1], shared, _MOST_CELLS, seed=frame.seed)
    normal = log_expression(expression[rows], is_counts=frame.counts is not None)
    markers = markers_of(normal, shared[rows], batch[rows], frame.genes)
    about = pd.DataFrame({"population": numbers, "name": ""})
    about["n_cells"] = [int((shared == p).sum()) for p in numbers]
    about["markers"] = [", ".join(markers.get(p, [])) for p in numbers]
    if labels is not None:
        found = [commonest(labels, shared == p) for p in numbers]
        about["label"], about["label_share"] = [name for name, _ in found], [share for _, share in found]
    about["name"] = _names(about)
    for name in np.unique(batch):
        column = f"cells_{name}".replace("/", "_")  # h5ad takes no slash in a name
        about[column] = [int(((shared == p) & (batch == name)).sum()) for p in numbers]

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
    above = np.maximum(overall.reindex(values["embedding"]).to_numpy(dtype=float), _LEAST_LEFT)
    values["batch_stays"] = values["batch_left_low"].to_numpy(dtype=float) > above
    floor = values["population"].map(of_reference["structure_kept_low"]).astype(float)
    below = values["structure_of_reference"] - values["structure_kept"] > _LEAST_LOSS
    values["structure_lost"] = below & (values["structure_kept_high"] < floor)
    values = values[values["embedding"].isin(names)]
    table = about.merge(values, on="population")
    first = ["population", "name", "embedding", "n_cells", "batch_left", "batch_left_low", "batch_left_high"]
    first += ["structure_kept", "structure_kept_low", "structure_kept_high", "structure_of_reference"]
    first += ["batch_stays", "structure_lost", "markers"]
    # In the order in which they were given: pictures give colours by it.
    order = {key: i for keys in (numbers, names) for i, key in enumerate(keys)}
    table = table.sort_values(["population", "embedding"], key=lambda values: values.map(order), ignore_index=True)
    return table[first + [name for name in table if name not in first]]


def markers_of(
    expression: Any, labels: NDArray[np.int64], batch: NDArray[np.str_], genes: Sequence[str]
) -> dict[int, list[str]]:
    """Return genes that tell each population from the other cells of the same batches, the best first.

    Genes are ordered by the difference of their means times that of the shares of cells that have them: what all cells
    have to some degree, such as ribosomal genes, names nobody.
    """
    means: dict[tuple[int, str], NDArray[np.float64]] = {}
    shares: dict[tuple[int, str], NDArray[np.float64]] = {}
    size: dict[tuple[int, str], int] = {}
    for b in np.unique(batch):
        for p in np.unique(labels):
            rows = np.flatnonzero((batch == b) & (labels == p))
            if len(rows):
                own = expression[rows]
                size[p, b] = len(rows)
                means[p, b] = np.asarray(own.sum(axis=0), dtype=float).ravel()
                shares[p, b] = np.asarray((own > 0).sum(axis=0), dtype=float).ravel()
    found: dict[int, list[str]] = {}
    for p in np.unique(labels):
        scores = np.zeros(len(genes))
        for b in np.unique(batch):
            others = [key for key in size if key[1] == b and key[0] != p]
            if (p, b) not in size or not others:
                continue
            n, m = size[p, b], sum(size[key] for key in others)
            higher = means[p, b] / n - sum(means[key] for key in others) / m
            oftener = shares[p, b] / n - sum(shares[key] for key in others) / m
            # A batch with many cells of it knows it better.
            scores += np.sqrt(n) * np.clip(higher, 0, None) * np.clip(oftener, 0, None)
        best = np.argsort(-scores, kind="stable")[:_N_MARKERS]
        found[int(p)] = [str(genes[g]) for g in best if scores[g] > 0]
    return found


def _names(about: pd.DataFrame) -> list[str]:
    """Return a unique name for each population: its label where most cells share one, else its markers."""
    names = []
    labelled = about["label"].where(about["label_share"] >= _LEAST_SHARE, "") if "label" in about else None
    for row, (population, markers) in enumerate(zip(about["population"], about["markers"], strict=True)):
        genes = ", ".join(markers.split(", ")[:_NAMED_BY])
        if population < 0:
            kind = labelled.iloc[row] if labelled is not None and labelled.iloc[row] else genes
            names.append(f"{NO_COUNTERPART} ({kind})" if kind else NO_COUNTERPART)
        elif labelled is not None and labelled.iloc[row]:
            label = labelled.iloc[row]
            names.append(f"{label} ({genes})" if (labelled == label).sum() > 1 and genes else label)
        else:
            names.append(genes or f"population {population}")
    return [
        f"{name} [{about['population'].iloc[i]}]" if names.count(name) > 1 else name for i, name in enumerate(names)
    ]


def populations_sentence(table: pd.DataFrame, embeddings: Sequence[str]) -> str:
    """Say in which populations the batch stays, and which have lost structure."""
    told, quiet = [], []
    for name in embeddings:
        rows = table[(table["embedding"] == name) & (table["population"] >= 0)]
        stays = rows[rows["batch_stays"]].sort_values("batch_left", ascending=False).head(_MOST_TOLD)
        gone = rows[rows["structure_lost"]].sort_values("structure_kept").head(_MOST_TOLD)
        parts = [f"{row['name']} still hold {row['batch_left']:.0f} % of the batch" for _, row in stays.iterrows()]
        parts += [
            f"{row['name']} lost structure ({row['structure_kept']:.0f} % kept, uncorrected "
            f"{row['structure_of_reference']:.0f} %)"
            for _, row in gone.iterrows()
        ]
        if parts:
            told.append(f"{name}: {'; '.join(parts)}")
        else:
            quiet.append(name)
    if quiet:
        told.append(f"{', '.join(quiet)}: no population stands out")
    return ". ".join(told) + "."
