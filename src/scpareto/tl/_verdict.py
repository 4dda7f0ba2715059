"""Which of several embeddings is recommended, and why, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.metrics import BatchLeft, LostContrasts, StructureKept

_N_MARKERS = 3


def recommended(table: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Name the embedding with the least batch left of those without alarm.

    Of embeddings that the paired interval of their difference cannot tell from it, the one that keeps most structure is
    named; without a batch effect, the one that keeps most structure of all.

    Parameters
    ----------
    table
        One row per embedding, with ``batch_left``, ``structure_kept`` and the flags.
    differences
        Paired differences of ``batch_left``, with intervals.

    Returns
    -------
    Name of the embedding; empty if there is none to recommend.
    """
    nothing = bool(table["no_batch_effect"].any())
    sound = table[~table["alarm"]]
    sound = sound if nothing else sound[~sound["composition_erased"]]
    known = sound["batch_left"].dropna()
    if nothing:
        alike = list(sound.index)
    elif len(known):
        alike = [name for name in known.index if _alike(str(name), str(known.idxmin()), differences)]
    else:
        return ""
    structure = sound.loc[alike, "structure_kept"].dropna()
    if len(structure):
        return str(structure.idxmax())
    return str(known.idxmin()) if len(known) else ""


def _alike(name: str, best: str, differences: pd.DataFrame) -> bool:
    """Whether chance may be all that lies between what two embeddings have left."""
    if name == best:
        return True
    for first, second, low, high in differences[["first", "second", "low", "high"]].itertuples(index=False):
        if {first, second} == {name, best}:
            return bool(low <= 0 <= high)
    return False


def sentence(table: pd.DataFrame, left: BatchLeft, kept: StructureKept | None, lost: LostContrasts | None) -> str:
    """Say of each embedding what is left, kept and lost, and what follows."""
    parts = [f"{name}: {_numbers(row)}{_what_is_lost(str(name), lost)}" for name, row in table.iterrows()]
    chosen = table.index[table["recommended"]]
    if table["no_batch_effect"].any():
        parts.append("There is no batch effect to remove on these cells")
    elif table["alarm"].all():
        parts.append("The over-correction alarm rings for all of them: none is recommended")
    elif len(chosen) and len(table) > 1:
        parts.append(f"Recommended: {chosen[0]}")
    if (erased := table.index[table["composition_erased"] & ~table["no_batch_effect"]]).size:
        tell = "tells" if len(erased) == 1 else "tell"
        parts.append(f"{', '.join(erased)} {tell} less of the batch than its composition: composition was erased")
    if left.interval_of != "samples":
        parts.append("Intervals are of these cells, not of other samples")
    if kept is not None and kept.seen:
        parts.append("The codes have seen the counts that structure was judged on")
    return ". ".join(parts) + "."


def _numbers(row: pd.Series) -> str:
    told = []
    if np.isfinite(row["batch_left"]):
        ends = f"{row['batch_left_low']:.0f} to {row['batch_left_high']:.0f}"
        told.append(f"{row['batch_left'] + 0.0:.0f} % of the batch left ({ends})".replace("-0 ", "0 "))
    elif np.isfinite(row["graph_mixing"]):
        told.append(f"neighbours mixed to {row['graph_mixing']:.0f} %")
    if np.isfinite(row["structure_kept"]):
        ends = f"{row['structure_kept_low']:.0f} to {row['structure_kept_high']:.0f}"
        told.append(f"{row['structure_kept']:.0f} % of the structure kept ({ends})")
    return ", ".join(told) or "not judged"


def _what_is_lost(name: str, lost: LostContrasts | None) -> str:
    """Say how many differences are lost, and the genes of the largest loss."""
    if lost is None or not lost.value.get(name, False):
        return ""
    rows = lost.table[(lost.table["embedding"] == name) & lost.table["rings"]]
    worst = rows.sort_values("lost", ascending=False).iloc[0]
    genes = [gene for side in ("first", "second") for gene in str(worst[f"markers_{side}"]).split(", ")[:_N_MARKERS]]
    count = f"{len(rows)} difference{'s' if len(rows) > 1 else ''} between cells lost"
    return f"; ALARM: {count}, the largest {worst['contrast']} ({', '.join(genes)})"
