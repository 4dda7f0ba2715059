"""Titles of columns, as axes and legends show them."""

from __future__ import annotations

import re
import textwrap

from scpareto._constants import GENERATIVE_LOSS

LEFT_SUFFIX = "_left"
"""Suffix of columns with the share of a nuisance that is left, in %."""

_SPLITS = {"train": "training cells", "validation": "validation cells", "test": "test cells"}
_IN_SAMPLE = "_in_sample"
_NATS = re.compile(r"mine.*|smile.*|classifier.*|total_correlation.*|dv.*")
_CODES = {"mean": "posterior mean", "sample": "samples"}
_INFORMATION = re.compile(r"(?P<kind>leakage|nn)_((?P<before>.+)_)?(?P<codes>mean|sample)(_(?P<after>.+))?")
_INFORMATION_KINDS = {"leakage": ("leakage", " of "), "nn": ("nearest-neighbour information", " about ")}
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


def get_title(column: str) -> str:
    """Return the title of a column, with its unit.

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
        return get_title(column.removesuffix(_IN_SAMPLE)).replace(" (%)", ", all cells (%)")
    if column.endswith(LEFT_SUFFIX):
        return f"{_replace_underscores(column)} (%)"
    if column.startswith("preference_"):
        return f"preference for {get_objective_name(column.removeprefix('preference_'))}"
    if column.startswith("scib_"):
        metric = column.removeprefix("scib_")
        return f"scIB {_SCIB.get(metric.lower(), _replace_underscores(metric))}"
    information = _INFORMATION.fullmatch(column)
    if information is not None:
        kind, link = _INFORMATION_KINDS[information["kind"]]
        nuisance = information["before"] or information["after"]
        return (
            f"{kind}{link + _replace_underscores(nuisance) if nuisance else ''}, {_CODES[information['codes']]} (nats)"
        )
    objective, _, split = column.rpartition("_")
    if split not in _SPLITS:
        return _replace_underscores(column)
    unit = " (nats per cell)" if objective == GENERATIVE_LOSS else " (nats)" if _NATS.fullmatch(objective) else ""
    return f"{get_objective_name(objective)}, {_SPLITS[split]}{unit}"


def wrap_title(column: str, max_characters: int) -> str:
    """Return the title of a column in lines of limited length, broken after a comma if there is one.

    Parameters
    ----------
    column
        Name of a column.
    max_characters
        Characters that fit into a line.

    Returns
    -------
    Text for an axis.
    """
    title = get_title(column)
    lines = [title] if len(title) <= max_characters else title.rsplit(", ", 1)
    return ",\n".join(textwrap.fill(part, max_characters) for part in lines)


def make_axis_label(column: str, *, higher: bool, max_characters: int) -> str:
    """Return the title of a column and the better direction along its axis.

    Parameters
    ----------
    column
        Name of a column.
    higher
        Whether larger values are better.
    max_characters
        Characters that fit into a line.

    Returns
    -------
    Text along an axis.
    """
    # along a vertical axis matplotlib rotates the text, and the arrow with it
    better = "better \N{RIGHTWARDS ARROW}" if higher else "better \N{LEFTWARDS ARROW}"
    title = wrap_title(column, max_characters)
    is_short = "\n" not in title and len(title) + len(better) + 3 <= max_characters
    return f"{title}   {better}" if is_short else f"{title}\n{better}"


def get_objective_name(name: str) -> str:
    """Return the title of an objective.

    Parameters
    ----------
    name
        Name of an objective.

    Returns
    -------
    Text for a sentence.
    """
    return _OBJECTIVES.get(name, _replace_underscores(name))


def _replace_underscores(name: str) -> str:
    return name.replace("_", " ")
