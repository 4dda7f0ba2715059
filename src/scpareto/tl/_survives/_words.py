"""Findings in a sentence, and the paragraph for a methods section."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from scpareto.tl._survives._calls import BEYOND, FRAGILE, ROBUST

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.tl._survives._places import Places

_NOUNS = {"markers": "markers", "expression": "differences in expression", "abundance": "shifts in abundance"}


def sentence(found: dict[str, pd.DataFrame], places: Places, changed: float | None) -> str:
    """Say how many findings of each kind hold, and how many do not."""
    told = [f"{range_in_words(places)}."]
    clusters = found["clusters"]
    if len(clusters):
        held = int((clusters["call"] == ROBUST).sum())
        told.append(f"Of {len(clusters)} clusters {held} are the same at all of them.")
    findings = found["findings"]
    for kind, noun in _NOUNS.items():
        own = findings[findings["kind"] == kind]
        if len(own):
            n = own["call"].value_counts()
            told.append(
                f"Of {len(own)} {noun} {n.get(ROBUST, 0)} are robust, {n.get(FRAGILE, 0)} fragile and "
                f"{n.get(BEYOND, 0)} found only beyond the alarm."
            )
    if changed is not None:
        told.append(f"{100 * changed:.0f} % of the cells are given another label somewhere in this range.")
    return " ".join(told)


def range_in_words(places: Places) -> str:
    """Name the admissible points and what they leave of the batch."""
    first, last = places.admissible[0], places.admissible[-1]
    left = [places.batch_left[number] for number in (first, last)]
    span = f", from {left[0]:.0f} to {left[1]:.0f} % of the batch effect left" if all(v == v for v in left) else ""
    n = len(places.admissible)
    return f"{n} of {len(places.numbers)} strengths of correction are admissible (points {first} to {last}{span})"


def methods(places: Places, arguments: dict[str, Any]) -> str:
    """Describe what was done, to paste."""
    parts = [
        f"Findings were examined at every strength of batch correction that scpareto {version('scpareto')} learned (a "
        "multiverse analysis, Steegen et al. 2016, shown as a specification curve, Simonsohn et al. 2020). "
        f"{range_in_words(places)}; a strength is admissible where the over-correction alarm is silent. At each, cells "
        f"were clustered anew (Leiden, resolution {arguments['resolution']:g}, {arguments['n_neighbors']} neighbours)"
    ]
    if arguments["groupby"]:
        parts.append(f", and each cluster was named by the value of {arguments['groupby']} of most of its cells")
    parts.append(". Clusters count as the same from a Jaccard index of 0.5 on (Hennig 2007).")
    if arguments["sample_key"]:
        test = (
            "the Wald test of DESeq2 (Love et al. 2014; pydeseq2)"
            if arguments["test"] == "deseq2"
            else "moderated t-tests of log2 counts per million (Smyth 2004)"
        )
        parts.append(
            f" Counts were summed up by {arguments['sample_key']} within groups of {arguments['min_cells']} cells or "
            f"more and compared by {test}"
        )
        if arguments["contrast"]:
            parts.append("; shares of cells by quasi-binomial regression")
        parts.append(
            f". A finding is called at a false discovery rate of {arguments['fdr']:g} (Benjamini and Hochberg 1995), "
            "and robust if it is called, with the same sign, at every admissible strength."
        )
    return "".join(parts)
