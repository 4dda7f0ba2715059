"""Select the genes that several datasets have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from scpareto.pp._check import get_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray


def intersect_genes(
    adatas: Sequence[AnnData], *, layer: str | None = None, upper_case: bool = False, drop_empty: bool = True
) -> list[AnnData]:
    """Give datasets the same genes in the same order.

    Parameters
    ----------
    adatas
        Two datasets or more, raw counts; they are not changed.
    layer
        Layer of the counts; None for ``adata.X``.
    upper_case
        Whether to compare and return names in upper case, for datasets that write the same symbols differently.
    drop_empty
        Whether to drop genes without counts in one of the datasets. Such a gene separates the datasets, independently
        of the types of cells.

    Returns
    -------
    New AnnData objects with all cells and the common genes, in the order of the first dataset.

    Raises
    ------
    TypeError
        If ``adatas`` is not a sequence of AnnData objects.
    KeyError
        If a dataset lacks the layer.
    ValueError
        If there are fewer than two datasets, names of a dataset are not unique, no gene is common, or counts are
        negative or not finite.

    References
    ----------
    Steps: :cite:p:`Li2022`.

    Examples
    --------
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> import scpareto as sp
    >>> one, other = AnnData(np.ones((2, 3))), AnnData(np.ones((4, 2)))
    >>> one.var_names, other.var_names = ["Actb", "Cd4", "Xist"], ["CD4", "ACTB"]
    >>> [list(adata.var_names) for adata in sp.pp.intersect_genes([one, other], upper_case=True)]
    [['ACTB', 'CD4'], ['ACTB', 'CD4']]
    """
    if isinstance(adatas, AnnData) or not isinstance(adatas, Sequence):
        raise TypeError(f"adatas is a {type(adatas).__name__}; give a list of AnnData objects.")
    if len(adatas) < 2:
        raise ValueError(f"adatas holds {len(adatas)} datasets; at least two are needed.")
    names = []
    for number, adata in enumerate(adatas):
        if not isinstance(adata, AnnData):
            raise TypeError(f"adatas[{number}] is a {type(adata).__name__}; give a list of AnnData objects.")
        names.append(adata.var_names.str.upper() if upper_case else adata.var_names)
    kept_genes = [
        np.flatnonzero(_has_counts(adata, layer) if drop_empty else np.ones(adata.n_vars, dtype=bool))
        for adata in adatas
    ]
    for number, (gene_names, genes) in enumerate(zip(names, kept_genes, strict=True)):
        _check_duplicates(gene_names[genes], number, upper_case)
    common = names[0][kept_genes[0]]
    for gene_names, genes in zip(names[1:], kept_genes[1:], strict=True):
        common = common[common.isin(gene_names[genes])]
    if not len(common):
        firsts = ", ".join(
            repr(gene_names[genes][0]) if len(genes) else "none"
            for gene_names, genes in zip(names, kept_genes, strict=True)
        )
        raise ValueError(f"the {len(adatas)} datasets have no gene in common; their first genes are {firsts}.")
    results = []
    for adata, gene_names, genes in zip(adatas, names, kept_genes, strict=True):
        subset = adata[:, genes[pd.Index(gene_names[genes]).get_indexer(common)]].copy()
        subset.var_names = common
        results.append(subset)
    return results


def _has_counts(adata: AnnData, layer: str | None) -> NDArray[np.bool_]:
    return np.asarray(get_counts(adata, layer, empty_cells=True).sum(axis=0)).ravel() > 0


def _check_duplicates(names: pd.Index, number: int, upper_case: bool) -> None:
    if names.has_duplicates:
        repeated = names[names.duplicated()].unique()
        listed = ", ".join(map(repr, repeated[:3])) + (", ..." if len(repeated) > 3 else "")
        raise ValueError(
            f"adatas[{number}] names {len(repeated)} genes more than once{' in upper case' if upper_case else ''}: "
            f"{listed}. Keep one of each, or add their counts up."
        )
