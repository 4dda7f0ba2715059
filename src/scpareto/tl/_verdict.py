"""Which of several embeddings is recommended, and why, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.metrics import BatchLeft, StructureKept

_WORTH = 1.0
"""Points of structure kept that a difference has to exceed, beyond its interval, to count as a loss."""


def recommended(table: pd.DataFrame, left: BatchLeft, kept: StructureKept | None) -> str:
    """Name the embedding with the least batch left among those that keep as much structure as any other.

    An embedding is passed over if another one keeps more structure, beyond the paired interval of their difference and
    by more than a point, or if it has erased composition. Without a batch effect the one that keeps most is named.

    Parameters
    ----------
    table
        One row per embedding, with ``batch_left``, ``structure_kept`` and the flags.
    left, kept
        What they were taken from, with the paired differences.

    Returns
    -------
    Name of the embedding; empty if there is none to recommend.
    """
    judged = table[~table["composition_erased"]]
    if judged["structure_kept"].notna().any():
        best = judged["structure_kept"].idxmax()
        judged = judged[[not _loses(str(name), str(best), kept) for name in judged.index]]
        if table["no_batch_effect"].any() or not judged["batch_left"].notna().any():
            return str(best)
    known = judged["batch_left"].dropna()
    return str(known.idxmin()) if len(known) else ""


def _loses(name: str, best: str, kept: StructureKept | None) -> bool:
    """Whether an embedding keeps less structure than the best one, beyond chance."""
    if kept is None or name == best:
        return False
    for row in kept.differences.itertuples(index=False):
        first, second, _, low, high = row[:5]
        if {first, second} == {name, best}:
            return (low if first == best else -high) > 0 and _gap(row, best) > _WORTH
    return False


def _gap(row: tuple, best: str) -> float:
    return float(row[2] if row[0] == best else -row[2])


def sentence(table: pd.DataFrame, left: BatchLeft, kept: StructureKept | None) -> str:
    """Say of each embedding what is left and kept, and what follows."""
    parts = [f"{name}: {_numbers(row)}" for name, row in table.iterrows()]
    chosen = table.index[table["recommended"]]
    if table["no_batch_effect"].any():
        parts.append("There is no batch effect to remove on these cells")
    elif len(chosen) and len(table) > 1:
        parts.append(f"Recommended: {chosen[0]}")
    if (erased := table.index[table["composition_erased"]]).size:
        parts.append(f"{', '.join(erased)} tell less of the batch than its composition does: composition was erased")
    if left.interval_of != "samples":
        parts.append("Intervals are of these cells, not of other samples")
    if kept is not None and kept.seen:
        parts.append("The codes have seen the counts that structure was judged on")
    return ". ".join(parts) + "."


def _numbers(row: pd.Series) -> str:
    told = []
    if np.isfinite(row["batch_left"]):
        told.append(
            f"{row['batch_left']:.0f} % of the batch left ({row['batch_left_low']:.0f} to {row['batch_left_high']:.0f})"
        )
    elif np.isfinite(row["graph_mixing"]):
        told.append(f"neighbours mixed to {row['graph_mixing']:.0f} %")
    if np.isfinite(row["structure_kept"]):
        ends = f"{row['structure_kept_low']:.0f} to {row['structure_kept_high']:.0f}"
        told.append(f"{row['structure_kept']:.0f} % of the structure kept ({ends})")
    return ", ".join(told) or "not judged"
