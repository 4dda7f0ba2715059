"""What annotated types add to judged embeddings: the scores of scib-metrics, and names for groups of cells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto.metrics import ScibScorer, stratified_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from scpareto.audit._frame import Frame
    from scpareto.metrics import LostContrasts

_MOST_CELLS = 20_000
_LEAST_CELLS = 15


def scib_columns(
    frame: Frame,
    codes: Mapping[str, NDArray[np.float64]],
    labels: NDArray[np.object_],
    *,
    max_cells: int = _MOST_CELLS,
) -> tuple[pd.DataFrame, str]:
    """Score embeddings by annotated types, with scib-metrics.

    Parameters
    ----------
    frame
        What embeddings are judged by.
    codes
        Embeddings, shape ``(n_cells, n_latent)``, by name.
    labels
        Type of each cell, None where it is unknown: these cells are left out.
    max_cells
        Of more cells a sample is scored, in proportion to batches and types.

    Returns
    -------
    ``scib_bio``, ``scib_batch`` and ``scib_total`` of each embedding, between 0 and 1, and which cells were scored.
    """
    named = np.flatnonzero(pd.notna(labels))
    types, batches = (np.unique(values[named].astype(str), return_inverse=True)[1] for values in (labels, frame.batch))
    chosen = named[stratified_rows(batches, types, max_cells, seed=frame.seed)]
    told = f"scib-metrics scored {len(chosen):,} of {len(labels):,} cells"
    told += f"; {len(labels) - len(named):,} have no label." if len(named) < len(labels) else "."
    own, batch = labels[chosen].astype(str), np.asarray(frame.batch)[chosen]
    if len(chosen) < _LEAST_CELLS or len(np.unique(own)) < 2 or len(np.unique(batch)) < 2:
        return pd.DataFrame(), "scib-metrics needs 15 labelled cells of two kinds and two batches: no scores."
    scorer = ScibScorer(frame.components[chosen], own, batch, seed=frame.seed)
    rows = {}
    for name, z in codes.items():
        if not np.ptp(z[chosen], axis=0).any():  # neighbours are undefined
            continue
        scores = scorer.score(z[chosen])
        rows[name] = {
            "scib_bio": scores.bio_conservation,
            "scib_batch": scores.batch_correction,
            "scib_total": scores.total,
        }
    return pd.DataFrame.from_dict(rows, orient="index"), told


def majority(labels: NDArray[np.object_], cells: NDArray[np.bool_]) -> str:
    """Return the commonest label of some cells with its share of those that have one; empty if none has."""
    name, share = commonest(labels, cells)
    return f"{name} ({100 * share:.0f} %)" if name else ""


def commonest(labels: NDArray[np.object_], cells: NDArray[np.bool_]) -> tuple[str, float]:
    """Return the commonest label of some cells and its share of those that have one."""
    own = labels[cells]
    names, counts = np.unique(own[pd.notna(own)].astype(str), return_counts=True)
    return (str(names[counts.argmax()]), float(counts.max() / counts.sum())) if len(names) else ("", 0.0)


def add_label_columns(lost: LostContrasts, batch: NDArray[np.str_], labels: NDArray[np.object_]) -> pd.DataFrame:
    """Return the table of differences with the commonest label on either side, ``label_first``, ``label_second``."""
    table = lost.table.copy()
    group_of = {name: number for number, name in enumerate(lost.names)}
    told: dict[str, tuple[str, str]] = {}
    for contrast, own in table[["contrast", "batch"]].drop_duplicates().itertuples(index=False):
        first, second = contrast.removeprefix(f"{own}: ").split(" | ")
        here = np.isin(lost.groups, [group_of[f"{own}: group {i}"] for i in re.findall(r"\d+", first)])
        if second == "rest":
            there = (batch == own) & (lost.groups >= 0) & ~here
        else:
            there = np.isin(lost.groups, [group_of[f"{own}: group {i}"] for i in re.findall(r"\d+", second)])
        told[contrast] = majority(labels, here), majority(labels, there)
    for place, column in enumerate(("label_first", "label_second")):
        table[column] = [told[contrast][place] for contrast in table["contrast"]]
    return table
