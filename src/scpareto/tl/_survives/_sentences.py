"""Write the sentence about the findings and the paragraph for a methods section."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from scpareto.tl._survives._summaries import FRAGILE, ONLY_BEYOND_ALARM, ROBUST

if TYPE_CHECKING:
    import pandas as pd

    from scpareto.tl._survives._points import FrontPoints

_NOUNS = {"markers": "markers", "expression": "differences in expression", "abundance": "shifts in abundance"}


def write_sentence(tables: dict[str, pd.DataFrame], points: FrontPoints, changed: float | None) -> str:
    """State how many findings of each kind are robust, and how many are not."""
    sentences = [f"{describe_range(points)}."]
    clusters = tables["clusters"]
    if len(clusters):
        n_robust = int((clusters["call"] == ROBUST).sum())
        sentences.append(f"Of {len(clusters)} clusters {n_robust} are the same at all of them.")
    findings = tables["findings"]
    for kind, noun in _NOUNS.items():
        rows = findings[findings["kind"] == kind]
        if len(rows):
            n = rows["call"].value_counts()
            sentences.append(
                f"Of {len(rows)} {noun} {n.get(ROBUST, 0)} are robust, {n.get(FRAGILE, 0)} fragile and "
                f"{n.get(ONLY_BEYOND_ALARM, 0)} found only beyond the alarm."
            )
    if changed is not None:
        sentences.append(f"{100 * changed:.0f} % of the cells are given another label somewhere in this range.")
    return " ".join(sentences)


def describe_range(points: FrontPoints) -> str:
    """Name the admissible points and the range of batch left at them."""
    first, last = points.admissible[0], points.admissible[-1]
    left = [points.batch_left[number] for number in (first, last)]
    span = f", from {left[0]:.0f} to {left[1]:.0f} % of the batch effect left" if all(v == v for v in left) else ""
    n = len(points.admissible)
    return f"{n} of {len(points.numbers)} strengths of correction are admissible (points {first} to {last}{span})"


def write_methods(points: FrontPoints, arguments: dict[str, Any]) -> str:
    """Write a paragraph for a methods section."""
    parts = [
        f"Findings were examined at every strength of batch correction that scpareto {version('scpareto')} learned (a "
        "multiverse analysis, Steegen et al. 2016, shown as a specification curve, Simonsohn et al. 2020). "
        f"{describe_range(points)}; a strength is admissible where the over-correction alarm is silent. At each, cells "
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
