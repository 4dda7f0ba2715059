"""The rule that picks a point without labels, and says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from scpareto.pareto._judged import alarm_mask, left_column, paired_intervals
from scpareto.pareto._rules import apply_rule, register_rule
from scpareto.pareto._sweep import value_in_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scpareto.pareto._front_data import FrontData

_LEVEL = 0.05


@dataclass(frozen=True)
class Recommendation:
    """A point, the rule that chose it, and the reason in words."""

    number: int
    rule: str
    reason: str


@register_rule("auto")
def auto(front: FrontData) -> int:
    """Point that a judged front recommends without labels, see :func:`recommend`."""
    return _recommend_by_judge(front).number


def recommend(front: FrontData) -> Recommendation:
    """Recommend a point by the judge; otherwise the knee of the points without alarm, or the least corrected point.

    The judge recommends the least corrected point whose excess of ``batch_left`` over the best point without alarm has
    a simultaneous upper bound below the margin. The margin is the larger of the difference between repeated probes and
    1 % of the batch entropy. Points whose alarm rings, or that erased composition, are never recommended.

    Parameters
    ----------
    front
        A front with at least one point.
    """
    try:
        return _recommend_by_judge(front)
    except ValueError as error:
        why = str(error)
    try:
        return Recommendation(apply_rule("knee", front), "knee", f"{why} The knee of the losses is taken instead.")
    except ValueError:
        first = front.numbers[0]
        return Recommendation(first, "first", f"{why} Point {first}, the least corrected one, is taken instead.")


def _recommend_by_judge(front: FrontData) -> Recommendation:
    column = left_column(front)
    record = front.metadata.get("judged", {})
    first = front.numbers[0]
    if front.metadata.get("alone"):
        reason_text = "is the only one: the cells are of one batch, so that there is nothing to correct."
        return Recommendation(first, "auto", f"Point {first} {reason_text}")
    if record.get("no_batch_effect"):
        reason_text = "There is no batch effect to remove" if record.get("none_at_all") else "No batch effect was shown"
        return Recommendation(first, "auto", f"Point {first}. {reason_text} with {record['n_cells']} cells.")
    if column not in front.table or not front.table[column].notna().any():
        reason = record.get("reason", "the points were not judged")
        raise ValueError(f"The rule 'auto' needs a judged front ({reason}); audit() judges it.")
    left = front.table[column].to_numpy(dtype=np.float64)
    alarmed = alarm_mask(front)
    erased = np.zeros(len(left), dtype=bool)
    if "composition_erased" in front.table:
        erased = front.table["composition_erased"].fillna(0).to_numpy(dtype=np.float64) > 0
    allowed = np.flatnonzero(np.isfinite(left) & ~alarmed & ~erased)
    if not len(allowed):
        raise ValueError("The rule 'auto' finds no point without alarm.")
    best = int(allowed[left[allowed].argmin()])
    excess, upper = _excess(front, left, best, allowed)
    margin = float(record.get("margin", 0.0))
    candidates = allowed[(upper[allowed] < margin) | (allowed == best)]
    chosen = int(candidates.min())
    other_half = _read_on_other_half(front, allowed, margin)
    undecided = [int(row) for row in allowed if row < chosen and excess[row] < margin]
    return Recommendation(
        front.numbers[chosen],
        "auto",
        _reason(front, left, chosen, best, alarmed, erased, undecided, margin, other_half),
    )


def _excess(
    front: FrontData, left: NDArray[np.float64], best: int, allowed: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the excess over the best point, and its simultaneous upper bound for all allowed points."""
    excess = left - left[best]
    low, high = paired_intervals(front, "left")
    error = (high[:, best] - low[:, best]) / (2 * norm.ppf(0.975))
    bound = norm.ppf(1 - _LEVEL / max(len(allowed) - 1, 1))
    return excess, excess + bound * np.where(np.isfinite(error), error, np.inf)


def _read_on_other_half(front: FrontData, allowed: NDArray[np.int64], margin: float) -> float | None:
    """Return the value that one half of the cells gives at the point picked by the other, averaged over both ways."""
    halves = front.tables.get("halves")
    if halves is None:
        return None
    by_name = halves.set_index("embedding")
    names = [f"point {front.numbers[row]}" for row in allowed]
    if not set(names) <= set(by_name.index):
        return None
    values = by_name.loc[names, ["half_0", "half_1"]].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        return None
    picked = [int(np.flatnonzero(values_of_half <= values_of_half.min() + margin)[0]) for values_of_half in values.T]
    return float((values[picked[0], 1] + values[picked[1], 0]) / 2)


def _reason(
    front: FrontData,
    left: NDArray[np.float64],
    chosen: int,
    best: int,
    alarmed: NDArray[np.bool_],
    erased: NDArray[np.bool_],
    undecided: list[int],
    margin: float,
    other_half: float | None,
) -> str:
    numbers, table = front.numbers, front.table
    nuisance = "batch" if left_column(front) == "batch_left" else left_column(front).removesuffix("_left")
    value = value_in_words(front, numbers[chosen])
    title = f"Point {numbers[chosen]} of {len(numbers)}" + (f" ({value})" if value else "")
    sentences = [f"{title}: {_percent_in_words(front, chosen)} of the {nuisance} effect is left"]
    if chosen != 0:
        sentences[0] += f", against {_percent_in_words(front, 0)} at point {numbers[0]}, the least corrected one"
    sentences[0] += "."
    if other_half is not None:
        sentences.append(f"Picked on one half of the cells and read on the other, {other_half:.1f} % is left.")
    if (kept := table.get("structure_kept")) is not None and np.isfinite(kept.iloc[chosen]):
        sentences.append(f"It keeps {kept.iloc[chosen]:.0f} % of the structure.")
    if chosen != best:
        sentences.append(
            f"Point {numbers[best]} has least left of the points without alarm ({left[best]:.1f} %); the difference is "
            f"certainly below {margin:.1f} %."
        )
    elif undecided:
        sentences.append(f"Too few cells to decide between it and {_list_points([numbers[row] for row in undecided])}.")
    if alarmed.any():
        ringing = np.flatnonzero(alarmed)
        worst = ""
        if {"structure_lost", "structure_lost_most"} <= set(table):
            row = int(ringing[table["structure_lost"].to_numpy(dtype=np.float64)[ringing].argmax()])
            worst = f", most of all {table['structure_lost_most'].iloc[row]}"
            worst += f" at point {numbers[row]}" if len(ringing) > 1 else ""
        sentences.append(
            f"The over-correction alarm rings at {_list_points([numbers[row] for row in ringing])}: differences "
            f"between cells are lost there{worst}."
        )
    elif "alarm" in table and table["alarm"].notna().any():
        sentences.append("The over-correction alarm rings at no point.")
    if erased.any():
        lost = _list_points([numbers[row] for row in np.flatnonzero(erased)])
        verb = "tells" if erased.sum() == 1 else "tell"
        sentences.append(
            f"{lost.capitalize()} {verb} less of the {nuisance} than composition alone: composition was erased."
        )
    return " ".join(sentences)


def _percent_in_words(front: FrontData, row: int) -> str:
    column, table = left_column(front), front.table
    ends = [f"{column}_low", f"{column}_high"]
    words = f"{table[column].iloc[row]:.1f} %"
    if set(ends) <= set(table):
        low, high = (table[end].iloc[row] for end in ends)
        words += f" (95 % interval {low:.1f} to {high:.1f})"
    return words


def _list_points(numbers: list[int]) -> str:
    return f"point {numbers[0]}" if len(numbers) == 1 else f"points {', '.join(map(str, numbers))}"
