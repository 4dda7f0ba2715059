"""Columns from annotated types: the scores of scib-metrics, and names for groups of cells."""

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

_MAX_CELLS = 20_000
_MIN_CELLS = 15


def scib_columns(
    frame: Frame,
    codes: Mapping[str, NDArray[np.float64]],
    labels: NDArray[np.object_],
    *,
    max_cells: int = _MAX_CELLS,
) -> tuple[pd.DataFrame, str]:
    """Score embeddings by annotated types, with scib-metrics.

    Parameters
    ----------
    frame
        What embeddings are judged by.
    codes
        Embeddings, shape ``(n_cells, n_latent)``, by name.
    labels
        Type of each cell, None where it is unknown; these cells are left out.
    max_cells
        With more cells, a sample is scored, in proportion to batches and types.

    Returns
    -------
    ``scib_bio``, ``scib_batch`` and ``scib_total`` of each embedding, between 0 and 1, and which cells were scored.
    """
    labelled = np.flatnonzero(pd.notna(labels))
    types, batches = (
        np.unique(values[labelled].astype(str), return_inverse=True)[1] for values in (labels, frame.batch)
    )
    chosen = labelled[stratified_rows(batches, types, max_cells, seed=frame.seed)]
    message = f"scib-metrics scored {len(chosen):,} of {len(labels):,} cells"
    message += f"; {len(labels) - len(labelled):,} have no label." if len(labelled) < len(labels) else "."
    judged_types, batch = labels[chosen].astype(str), np.asarray(frame.batch)[chosen]
    if len(chosen) < _MIN_CELLS or len(np.unique(judged_types)) < 2 or len(np.unique(batch)) < 2:
        return pd.DataFrame(), "scib-metrics needs 15 labelled cells of two kinds and two batches: no scores."
    scorer = ScibScorer(frame.components[chosen], judged_types, batch, seed=frame.seed)
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
    return pd.DataFrame.from_dict(rows, orient="index"), message


def describe_majority(labels: NDArray[np.object_], cells: NDArray[np.bool_]) -> str:
    """Return the most common label of some cells, with its share of the labelled ones; empty if none is labelled."""
    name, share = most_common_label(labels, cells)
    return f"{name} ({100 * share:.0f} %)" if name else ""


def most_common_label(labels: NDArray[np.object_], cells: NDArray[np.bool_]) -> tuple[str, float]:
    """Return the most common label of some cells and its share of the labelled ones."""
    labels_of_cells = labels[cells]
    names, counts = np.unique(labels_of_cells[pd.notna(labels_of_cells)].astype(str), return_counts=True)
    return (str(names[counts.argmax()]), float(counts.max() / counts.sum())) if len(names) else ("", 0.0)


def add_label_columns(lost: LostContrasts, batch: NDArray[np.str_], labels: NDArray[np.object_]) -> pd.DataFrame:
    """Return the table of differences with the most common label of each side, ``label_first`` and ``label_second``."""
    table = lost.table.copy()
    group_of = {name: number for number, name in enumerate(lost.names)}
    labels_of_sides: dict[str, tuple[str, str]] = {}
    for contrast, batch_name in table[["contrast", "batch"]].drop_duplicates().itertuples(index=False):
        first, second = contrast.removeprefix(f"{batch_name}: ").split(" | ")
        first_side = np.isin(lost.groups, [group_of[f"{batch_name}: group {i}"] for i in re.findall(r"\d+", first)])
        if second == "rest":
            second_side = (batch == batch_name) & (lost.groups >= 0) & ~first_side
        else:
            second_side = np.isin(
                lost.groups, [group_of[f"{batch_name}: group {i}"] for i in re.findall(r"\d+", second)]
            )
        labels_of_sides[contrast] = describe_majority(labels, first_side), describe_majority(labels, second_side)
    for place, column in enumerate(("label_first", "label_second")):
        table[column] = [labels_of_sides[contrast][place] for contrast in table["contrast"]]
    return table
