"""Check the genes that a user names."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_SUGGESTIONS = 3


def check_genes(genes: str | Sequence[str], names: Iterable[str], argument: str = "control_genes") -> list[str]:
    """Check that genes exist.

    Parameters
    ----------
    genes
        One gene or several.
    names
        Genes of the data.
    argument
        Name of the argument, for errors.

    Returns
    -------
    The genes, each once.

    Raises
    ------
    KeyError
        If a gene does not exist. The message lists genes of similar spelling, ignoring case.
    """
    unique_genes = list(dict.fromkeys([genes] if isinstance(genes, str) else map(str, genes)))
    var_names = [str(name) for name in names]
    existing = set(var_names)
    for gene in unique_genes:
        if gene not in existing:
            raise KeyError(_unknown_gene_message(gene, var_names, argument))
    return unique_genes


def _unknown_gene_message(gene: str, var_names: list[str], argument: str) -> str:
    by_upper_case: dict[str, str] = {}
    for name in var_names:
        by_upper_case.setdefault(name.upper(), name)
    near = [
        by_upper_case[n] for n in get_close_matches(gene.upper(), list(by_upper_case), n=_MAX_SUGGESTIONS, cutoff=0.6)
    ]
    examples = ", ".join(var_names[:3])
    hint = f"near names are {', '.join(map(repr, near))}" if near else f"names look like {examples}"
    return f"{argument}: {gene!r} is not in adata.var_names; {hint}."
