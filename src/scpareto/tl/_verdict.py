"""Which of several embeddings is recommended, and why, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.tl._held_out import told_of_held_out
from scpareto.tl._judge_options import strangers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from scpareto.metrics import BatchLeft, LostContrasts, StructureKept

_N_MARKERS = 3
_MOST_TOLD = 3
"""Embeddings up to which each is told with its numbers; of more, the recommended one is."""
_UNCORRECTED = 90.0
"""Percent of the batch left from which an embedding counts as uncorrected."""


def recommended(table: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Name the embedding with the least batch left of those without alarm.

    Of embeddings that the paired interval of their difference cannot tell from it, the one that keeps most structure is
    named; without a batch effect, the one that keeps most structure of all. What has removed next to nothing is not
    recommended where there is something to remove.

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
    sound = table[~table["alarm"]]
    if table["no_batch_effect"].any():
        alike = list(sound.index)
    else:
        sound = sound[~sound["composition_erased"] & (sound["batch_left"] < _UNCORRECTED)]
        if sound.empty:
            return ""
        best = str(sound["batch_left"].idxmin())
        alike = [name for name in sound.index if _alike(str(name), best, differences)]
    structure = sound.loc[alike, "structure_kept"].dropna()
    if len(structure):
        return str(structure.idxmax())
    return "" if sound["batch_left"].isna().all() else str(sound["batch_left"].idxmin())


def _alike(name: str, best: str, differences: pd.DataFrame) -> bool:
    """Whether chance may be all that lies between what two embeddings have left."""
    if name == best:
        return True
    for first, second, low, high in differences[["first", "second", "low", "high"]].itertuples(index=False):
        if {first, second} == {name, best}:
            return bool(low <= 0 <= high)
    return False


def sentence(
    table: pd.DataFrame,
    left: BatchLeft,
    kept: StructureKept | None,
    lost: LostContrasts | None,
    *,
    first: Sequence[str] = (),
    told: Sequence[str] = (),
) -> str:
    """Say what is left, kept and lost, and what follows; ``first`` before all else, ``told`` after the alarms."""
    chosen = table[table["recommended"]]
    # Without a recommendation the reader chooses, and needs the numbers.
    shown = table if len(table) <= (_MOST_TOLD if len(chosen) else 2 * _MOST_TOLD) else chosen
    parts = [*first, *(f"{name}: {_numbers(row)}" for name, row in shown.iterrows())]
    nothing = bool(table["no_batch_effect"].any())
    if nothing:
        parts.append("There is no batch effect to remove on these cells")
    elif len(chosen) and len(table) > 1:
        parts.append(f"Recommended: {chosen.index[0]}")
    parts += [*_alarms(table, lost), *told]
    if not nothing and not len(chosen):
        parts.append("None is recommended: each has an alarm, has erased composition, or has removed next to nothing")
    if (erased := table.index[table["composition_erased"] & ~table["no_batch_effect"]]).size:
        tell = "tells" if len(erased) == 1 else "tell"
        parts.append(f"{_listed(erased)} {tell} less of the batch than its composition: composition was erased")
    of_held_out = table if len(table) <= _MOST_TOLD else chosen
    parts.append(told_of_held_out(table, [str(name) for name in of_held_out.index]))
    if left.interval_of != "samples":
        parts.append("Intervals are of these cells, not of other samples")
    if kept is not None and kept.seen:
        parts.append("The codes have seen the counts that structure was judged on")
    said = ". ".join(part for part in parts if part) + "."
    return f"{said} {question}" if (question := strangers(table)) else said


def _alarms(table: pd.DataFrame, lost: LostContrasts | None) -> list[str]:
    """One sentence for each difference that is the largest loss of some embeddings."""
    if lost is None:
        return []
    by_contrast: dict[tuple[str, str], list[str]] = {}
    for name in [name for name in table.index if lost.value.get(str(name), False)]:
        rows = lost.table[(lost.table["embedding"] == name) & lost.table["rings"]]
        worst = rows.sort_values("lost", ascending=False).iloc[0]
        genes = " against ".join(_side(worst, side) for side in ("first", "second"))
        by_contrast.setdefault((str(worst["contrast"]), genes), []).append(str(name))
    return [
        f"Alarm: {_listed(names)} lost differences between cells, most of all {contrast} ({genes})"
        for (contrast, genes), names in by_contrast.items()
    ]


def _side(contrast: pd.Series, side: str) -> str:
    """One side of a difference in words: its label where it is known, and its marker genes."""
    genes = ", ".join(str(contrast[f"markers_{side}"]).split(", ")[:_N_MARKERS])
    label = str(contrast.get(f"label_{side}", "")).rpartition(" (")[0]
    return f"{label} with {genes}" if label and genes else label or genes


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(str, names))


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
