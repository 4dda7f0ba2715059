"""Genes that are named, checked against those of the data."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_NAMED = 3


def check_genes(genes: str | Sequence[str], names: Iterable[str], argument: str = "control_genes") -> list[str]:
    """Check that genes exist.

    Parameters
    ----------
    genes
        One gene or several.
    names
        Genes of the data.
    argument
        What the message calls them.

    Returns
    -------
    The genes, each once.

    Raises
    ------
    KeyError
        If one does not exist; the message names those that are spelled alike, capitals apart.
    """
    named = list(dict.fromkeys([genes] if isinstance(genes, str) else map(str, genes)))
    known = [str(name) for name in names]
    there = set(known)
    for gene in named:
        if gene not in there:
            raise KeyError(_unknown(gene, known, argument))
    return named


def _unknown(gene: str, known: list[str], argument: str) -> str:
    by_capitals: dict[str, str] = {}
    for name in known:
        by_capitals.setdefault(name.upper(), name)
    near = [by_capitals[n] for n in get_close_matches(gene.upper(), list(by_capitals), n=_MOST_NAMED, cutoff=0.6)]
    told = f"near names are {', '.join(map(repr, near))}" if near else f"names look like {', '.join(known[:3])}"
    return f"{argument}: {gene!r} is not in adata.var_names; {told}."
