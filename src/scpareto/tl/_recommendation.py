"""Recommend one of several embeddings, and say why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scpareto.tl._held_out import describe_held_out
from scpareto.tl._judge_options import describe_unstructured

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from scpareto.metrics import BatchLeft, LostContrasts, StructureKept

_N_MARKERS = 3
_MAX_LISTED = 3
"""Up to as many embeddings are listed with their numbers; of more, only the recommended one is."""
_UNCORRECTED = 90.0
"""An embedding with as much of the batch left, in percent, or more counts as uncorrected."""


def recommend(table: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Name the embedding with the least batch left of those without alarm.

    Of the embeddings whose paired difference from it has an interval with 0, the one that keeps most structure is
    named. Without a batch effect it is the one that keeps most structure of all. With a batch effect, an embedding that
    has removed next to nothing is never recommended.

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
    without_alarm = table[~table["alarm"]]
    if table["no_batch_effect"].any():
        equally_good = list(without_alarm.index)
    else:
        without_alarm = without_alarm[
            ~without_alarm["composition_erased"] & (without_alarm["batch_left"] < _UNCORRECTED)
        ]
        if without_alarm.empty:
            return ""
        best = str(without_alarm["batch_left"].idxmin())
        equally_good = [name for name in without_alarm.index if _within_chance(str(name), best, differences)]
    structure = without_alarm.loc[equally_good, "structure_kept"].dropna()
    if len(structure):
        return str(structure.idxmax())
    return "" if without_alarm["batch_left"].isna().all() else str(without_alarm["batch_left"].idxmin())


def _within_chance(name: str, best: str, differences: pd.DataFrame) -> bool:
    """Whether the interval of the difference between two embeddings includes 0."""
    if name == best:
        return True
    for first, second, low, high in differences[["first", "second", "low", "high"]].itertuples(index=False):
        if {first, second} == {name, best}:
            return bool(low <= 0 <= high)
    return False


def write_sentence(
    table: pd.DataFrame,
    left: BatchLeft,
    kept: StructureKept | None,
    lost: LostContrasts | None,
    *,
    first_sentences: Sequence[str] = (),
    criteria_sentences: Sequence[str] = (),
) -> str:
    """Say what is left, kept and lost, and which embedding is recommended.

    Parameters
    ----------
    table
        One row per embedding, with the column ``recommended``.
    left, kept, lost
        Batch left, structure kept and lost differences.
    first_sentences
        Sentences that come first.
    criteria_sentences
        Sentences that come after the alarms.
    """
    recommended_rows = table[table["recommended"]]
    # Without a recommendation the reader chooses, and needs the numbers.
    described = table if len(table) <= (_MAX_LISTED if len(recommended_rows) else 2 * _MAX_LISTED) else recommended_rows
    sentences = [*first_sentences, *(f"{name}: {_numbers(row)}" for name, row in described.iterrows())]
    no_batch_effect = bool(table["no_batch_effect"].any())
    if no_batch_effect:
        sentences.append("There is no batch effect to remove on these cells")
    elif len(recommended_rows) and len(table) > 1:
        sentences.append(f"Recommended: {recommended_rows.index[0]}")
    sentences += [*_alarms(table, lost), *criteria_sentences]
    if not no_batch_effect and not len(recommended_rows):
        sentences.append(
            "None is recommended: each has an alarm, has erased composition, or has removed next to nothing"
        )
    if (erased := table.index[table["composition_erased"] & ~table["no_batch_effect"]]).size:
        verb = "tells" if len(erased) == 1 else "tell"
        sentences.append(f"{_join(erased)} {verb} less of the batch than its composition: composition was erased")
    of_held_out = table if len(table) <= _MAX_LISTED else recommended_rows
    sentences.append(describe_held_out(table, [str(name) for name in of_held_out.index]))
    if left.interval_of != "samples":
        sentences.append("Intervals are of these cells, not of other samples")
    if kept is not None and kept.seen:
        sentences.append("The codes have seen the counts that structure was judged on")
    text = ". ".join(part for part in sentences if part) + "."
    return f"{text} {question}" if (question := describe_unstructured(table)) else text


def _alarms(table: pd.DataFrame, lost: LostContrasts | None) -> list[str]:
    """Return one sentence for each difference that is the largest loss of an embedding."""
    if lost is None:
        return []
    by_contrast: dict[tuple[str, str], list[str]] = {}
    for name in [name for name in table.index if lost.value.get(str(name), False)]:
        rows = lost.table[(lost.table["embedding"] == name) & lost.table["rings"]]
        worst = rows.sort_values("lost", ascending=False).iloc[0]
        genes = " against ".join(_side(worst, side) for side in ("first", "second"))
        by_contrast.setdefault((str(worst["contrast"]), genes), []).append(str(name))
    return [
        f"Alarm: {_join(names)} lost differences between cells, most of all {contrast} ({genes})"
        for (contrast, genes), names in by_contrast.items()
    ]


def _side(contrast: pd.Series, side: str) -> str:
    """Describe one side of a difference by its label, if there is one, and its marker genes."""
    genes = ", ".join(str(contrast[f"markers_{side}"]).split(", ")[:_N_MARKERS])
    label = str(contrast.get(f"label_{side}", "")).rpartition(" (")[0]
    return f"{label} with {genes}" if label and genes else label or genes


def _join(names: Iterable[str]) -> str:
    return ", ".join(map(str, names))


def _numbers(row: pd.Series) -> str:
    texts = []
    if np.isfinite(row["batch_left"]):
        interval = f"{row['batch_left_low']:.0f} to {row['batch_left_high']:.0f}"
        texts.append(f"{row['batch_left'] + 0.0:.0f} % of the batch left ({interval})".replace("-0 ", "0 "))
    elif np.isfinite(row["graph_mixing"]):
        texts.append(f"neighbours mixed to {row['graph_mixing']:.0f} %")
    if np.isfinite(row["structure_kept"]):
        interval = f"{row['structure_kept_low']:.0f} to {row['structure_kept_high']:.0f}"
        texts.append(f"{row['structure_kept']:.0f} % of the structure kept ({interval})")
    return ", ".join(texts) or "not judged"
