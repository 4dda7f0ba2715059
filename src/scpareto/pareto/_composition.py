"""Advice for batches of different composition."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scpareto.pareto._front_data import FrontData

MIN_UNMATCHED_SHARE = 0.05
"""Share of cells without a counterpart in another batch above which composition counts as different."""
COMPOSITION_MARGIN = 0.01
"""Composition counts as different if its information exceeds this share of the entropy of the batch."""


def advice_on_composition(front: FrontData) -> str:
    """Return advice in words if batches differ in composition.

    Information across populations only falls if differences in composition are erased as well. Information within
    populations does not have this problem.

    Parameters
    ----------
    front
        A front.

    Returns
    -------
    Some sentences; empty if composition is similar, was not judged, or the user gave clusters.
    """
    record, composition = front.metadata.get("judged", {}), front.metadata.get("composition")
    options = front.metadata.get("objective_options", {}).values()
    given = [one["given"] for one in options if "given" in one]
    within = given == ["populations"]
    if not given or not within and any(option is not None for option in given):
        return ""
    if composition is None and "composition_low" in record:
        composition = {
            "information": record["composition"],
            "information_low": record["composition_low"],
            "entropy": record["entropy"],
            "without_counterpart": record["not_assessable"],
        }
    if composition is None:
        return ""
    unmatched_share = composition["without_counterpart"]
    unlike = composition["information_low"] > COMPOSITION_MARGIN * composition["entropy"]
    if not unlike and unmatched_share <= MIN_UNMATCHED_SHARE:
        return ""
    findings = (
        [f"{composition['information']:.2f} nats of the batch follow from the population alone"] if unlike else []
    )
    if unmatched_share > MIN_UNMATCHED_SHARE:
        findings.append(f"{100 * unmatched_share:.0f} % of the cells have no counterpart in another batch")
    unlike_cells = f"Batches hold unlike cells: {' and '.join(findings)}. "
    unmatched = "Cells without a counterpart are not asked to mix; a type that is taken for its relative is."
    if within:
        return f"{unlike_cells}They were mixed within shared populations only. {unmatched}"
    hidden = ""
    if not composition.get("is_matched", True):
        hidden = "The effect of the batch may hide counterparts, so all cells were mixed. "
    argument = '`train(objective_kwargs={"given": "populations"})`'
    return f"{unlike_cells}{hidden}{argument} mixes cells within shared populations only. {unmatched}"
