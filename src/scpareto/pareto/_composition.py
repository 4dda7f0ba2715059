"""What to do where batches hold unlike cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scpareto.pareto._front_data import FrontData

MIN_UNMATCHED_SHARE = 0.05
"""Share of cells without a counterpart in another batch from which composition counts as unlike."""
COMPOSITION_MARGIN = 0.01
"""Share of the entropy of the batch that its composition may tell without harm."""


def advice_on_composition(front: FrontData) -> str:
    """Say what was done or is to be done where batches differ in what cells they hold.

    Information across populations falls only if such differences are erased as well; within populations it does not.

    Parameters
    ----------
    front
        A front.

    Returns
    -------
    Some sentences; empty where composition is alike, was not judged, or information is taken within clusters of the
    user's.
    """
    record, decided = front.metadata.get("judged", {}), front.metadata.get("composition")
    options = front.metadata.get("objective_options", {}).values()
    known = [one["given"] for one in options if "given" in one]
    within = known == ["populations"]
    if not known or not within and any(given is not None for given in known):
        return ""
    if decided is None and "composition_low" in record:
        decided = {
            "information": record["composition"],
            "information_low": record["composition_low"],
            "entropy": record["entropy"],
            "without_counterpart": record["not_assessable"],
        }
    if decided is None:
        return ""
    alone = decided["without_counterpart"]
    unlike = decided["information_low"] > COMPOSITION_MARGIN * decided["entropy"]
    if not unlike and alone <= MIN_UNMATCHED_SHARE:
        return ""
    told = [f"{decided['information']:.2f} nats of the batch follow from the population alone"] if unlike else []
    if alone > MIN_UNMATCHED_SHARE:
        told.append(f"{100 * alone:.0f} % of the cells have no counterpart in another batch")
    unlike_cells = f"Batches hold unlike cells: {' and '.join(told)}. "
    unmatched = "Cells without a counterpart are not asked to mix; a type that is taken for its relative is."
    if within:
        return f"{unlike_cells}They were mixed within shared populations only. {unmatched}"
    hidden = ""
    if not decided.get("is_matched", True):
        hidden = "The effect of the batch may hide counterparts, so all cells were mixed. "
    argument = '`train(objective_kwargs={"given": "populations"})`'
    return f"{unlike_cells}{hidden}{argument} mixes cells within shared populations only. {unmatched}"
