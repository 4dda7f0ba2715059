"""The genes that several datasets have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from scpareto.pp._check import counts_of

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
        Whether names are compared and returned in upper case, for datasets that write the same symbols differently.
    drop_empty
        Whether a gene without counts in one of the datasets is dropped. It would tell the datasets apart whatever the
        cells are.

    Returns
    -------
    New AnnData objects with all their cells, of the genes that all have, in the order of the first.

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
    kept = [
        np.flatnonzero(_with_counts(adata, layer) if drop_empty else np.ones(adata.n_vars, dtype=bool))
        for adata in adatas
    ]
    for number, (own, genes) in enumerate(zip(names, kept, strict=True)):
        _refuse_duplicates(own[genes], number, upper_case)
    common = names[0][kept[0]]
    for own, genes in zip(names[1:], kept[1:], strict=True):
        common = common[common.isin(own[genes])]
    if not len(common):
        firsts = ", ".join(
            repr(own[genes][0]) if len(genes) else "none" for own, genes in zip(names, kept, strict=True)
        )
        raise ValueError(f"the {len(adatas)} datasets have no gene in common; their first genes are {firsts}.")
    found = []
    for adata, own, genes in zip(adatas, names, kept, strict=True):
        part = adata[:, genes[pd.Index(own[genes]).get_indexer(common)]].copy()
        part.var_names = common
        found.append(part)
    return found


def _with_counts(adata: AnnData, layer: str | None) -> NDArray[np.bool_]:
    return np.asarray(counts_of(adata, layer, empty_cells=True).sum(axis=0)).ravel() > 0


def _refuse_duplicates(names: pd.Index, number: int, upper_case: bool) -> None:
    if names.has_duplicates:
        twice = names[names.duplicated()].unique()
        listed = ", ".join(map(repr, twice[:3])) + (", ..." if len(twice) > 3 else "")
        raise ValueError(
            f"adatas[{number}] names {len(twice)} genes more than once{' in upper case' if upper_case else ''}: "
            f"{listed}. Keep one of each, or add their counts up."
        )
