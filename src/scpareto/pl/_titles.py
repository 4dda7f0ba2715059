"""Titles of columns, as axes and legends show them."""

from __future__ import annotations

import re
import textwrap

from scpareto._constants import GENERATIVE_LOSS

LEFT = "_left"
"""How a column ends that holds what is left of a nuisance, in %."""

_SPLITS = {"train": "training cells", "validation": "validation cells", "test": "test cells"}
_IN_SAMPLE = "_in_sample"
_NATS = re.compile(r"mine.*|smile.*|classifier.*|total_correlation.*|dv.*")
_CODES = {"mean": "posterior mean", "sample": "samples"}
_INFORMATION = re.compile(r"(?P<kind>leakage|nn)_((?P<before>.+)_)?(?P<codes>mean|sample)(_(?P<after>.+))?")
_KINDS = {"leakage": ("leakage", " of "), "nn": ("nearest-neighbour information", " about ")}
_TITLES = {
    "point": "point along the front",
    "retention": "neighbourhood retention",
    "retention_reference": "neighbourhood retention, independent reference",
    "structure_kept": "structure kept (%)",
    "structure_lost": "largest share lost of a difference",
    "information": "information within populations (nats)",
    "graph_mixing": "mixing of the neighbour graph (%)",
    "composition_erased": "composition erased",
    "alarm": "over-correction alarm",
}
_SCIB = {
    "bio": "bio conservation",
    "batch": "batch correction",
    "total": "total score",
    "silhouette_label": "silhouette of labels",
    "silhouette_batch": "silhouette of batches",
    "isolated_labels": "isolated labels",
    "nmi_ari_cluster_labels_leiden_nmi": "Leiden NMI",
    "nmi_ari_cluster_labels_leiden_ari": "Leiden ARI",
    "nmi_ari_cluster_labels_kmeans_nmi": "K-means NMI",
    "nmi_ari_cluster_labels_kmeans_ari": "K-means ARI",
    "leiden_nmi": "Leiden NMI",
    "leiden_ari": "Leiden ARI",
    "kmeans_nmi": "K-means NMI",
    "kmeans_ari": "K-means ARI",
    "clisi": "cLISI",
    "clisi_knn": "cLISI",
    "ilisi": "iLISI",
    "ilisi_knn": "iLISI",
    "kbet": "kBET",
    "kbet_per_label": "kBET",
    "bras": "BRAS",
    "graph_connectivity": "graph connectivity",
    "pcr_comparison": "PCR comparison",
}
_OBJECTIVES = {
    GENERATIVE_LOSS: "generative loss",
    "mine": "MINE",
    "mine_exact": "MINE, exact",
    "smile": "SMILE",
    "mmd": "MMD",
    "hsic": "HSIC",
}


def title_of(column: str) -> str:
    """Write a column in the words of the field, with its unit.

    Parameters
    ----------
    column
        Name of a column.

    Returns
    -------
    Text for an axis.
    """
    if column in _TITLES:
        return _TITLES[column]
    if column.endswith(_IN_SAMPLE):
        return title_of(column.removesuffix(_IN_SAMPLE)).replace(" (%)", ", all cells (%)")
    if column.endswith(LEFT):
        return f"{_spaced(column)} (%)"
    if column.startswith("preference_"):
        return f"preference for {name_of_objective(column.removeprefix('preference_'))}"
    if column.startswith("scib_"):
        metric = column.removeprefix("scib_")
        return f"scIB {_SCIB.get(metric.lower(), _spaced(metric))}"
    information = _INFORMATION.fullmatch(column)
    if information is not None:
        kind, link = _KINDS[information["kind"]]
        nuisance = information["before"] or information["after"]
        return f"{kind}{link + _spaced(nuisance) if nuisance else ''}, {_CODES[information['codes']]} (nats)"
    objective, _, split = column.rpartition("_")
    if split not in _SPLITS:
        return _spaced(column)
    unit = " (nats per cell)" if objective == GENERATIVE_LOSS else " (nats)" if _NATS.fullmatch(objective) else ""
    return f"{name_of_objective(objective)}, {_SPLITS[split]}{unit}"


def broken_title(column: str, longest: int) -> str:
    """Write a column in lines of limited length, broken after a comma where there is one.

    Parameters
    ----------
    column
        Name of a column.
    longest
        Characters that fit into a line.

    Returns
    -------
    Text for an axis.
    """
    title = title_of(column)
    parts = [title] if len(title) <= longest else title.rsplit(", ", 1)
    return ",\n".join(textwrap.fill(part, longest) for part in parts)


def axis_words(column: str, *, higher: bool, longest: int) -> str:
    """Write a column and which direction along its axis is better.

    Parameters
    ----------
    column
        Name of a column.
    higher
        Whether larger values are better.
    longest
        Characters that fit into a line.

    Returns
    -------
    Text along an axis.
    """
    # along a vertical axis the words are turned, and the arrow with them
    better = "better \N{RIGHTWARDS ARROW}" if higher else "better \N{LEFTWARDS ARROW}"
    title = broken_title(column, longest)
    is_short = "\n" not in title and len(title) + len(better) + 3 <= longest
    return f"{title}   {better}" if is_short else f"{title}\n{better}"


def name_of_objective(name: str) -> str:
    """Write an objective in the words of the field.

    Parameters
    ----------
    name
        Name of an objective.

    Returns
    -------
    Text for a sentence.
    """
    return _OBJECTIVES.get(name, _spaced(name))


def _spaced(name: str) -> str:
    return name.replace("_", " ")
