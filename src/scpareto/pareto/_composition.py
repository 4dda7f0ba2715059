"""What to do where batches hold unlike cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scpareto.pareto._front_data import FrontData

_LEAST_SHARE = 0.05
"""Share of cells without a counterpart in another batch from which composition counts as unlike."""
_MARGIN = 0.01
"""Share of the entropy of the batch that its composition may tell without harm."""


def advice_on_composition(front: FrontData) -> str:
    """Recommend to trade information within populations, where batches differ in what cells they hold.

    Information across populations falls only if such differences are erased as well.

    Parameters
    ----------
    front
        A front.

    Returns
    -------
    Three sentences; empty where composition is alike, was not judged, or information is taken within clusters already.
    """
    record = front.metadata.get("judged", {})
    options = front.metadata.get("objective_options", {}).values()
    known = [one["given"] for one in options if "given" in one]
    if "composition_low" not in record or not known or any(given is not None for given in known):
        return ""
    alone = record["not_assessable"]
    unlike = record["composition_low"] > _MARGIN * record["entropy"]
    if not unlike and alone <= _LEAST_SHARE:
        return ""
    told = [f"{record['composition']:.2f} nats of the batch follow from the population alone"] if unlike else []
    if alone > _LEAST_SHARE:
        told.append(f"{100 * alone:.0f} % of the cells have no counterpart in another batch")
    return (
        f"Batches hold unlike cells: {' and '.join(told)}. "
        '`train(objective_kwargs={"given": "populations"})` mixes cells within shared populations only. '
        "What only one batch has stays as it is."
    )
