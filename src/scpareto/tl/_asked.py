"""What a user asks of the judge besides batch and structure: labels, a condition and genes that must survive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._cells import check_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

_LEAST_CELLS = 20
_MOST_NAMED = 5
_NO_LABEL = ("", "nan", "None", "<NA>")


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked besides batch and structure.

    Attributes
    ----------
    labels
        Type of each cell, None where it is unknown; None if not asked.
    condition
        Condition of each cell; None if not asked.
    condition_name
        What it is called.
    genes
        Genes whose pattern must survive.
    """

    labels: NDArray[np.object_] | None
    condition: NDArray[np.str_] | None
    condition_name: str
    genes: tuple[str, ...]


def what_is_asked(
    adata: AnnData,
    *,
    batch_key: str,
    labels_key: str | None,
    protect_key: str | None,
    control_genes: str | Sequence[str],
) -> Asked:
    """Take labels, condition and genes from an AnnData, and check them.

    Raises
    ------
    KeyError
        If a column or gene does not exist; the message names near ones.
    ValueError
        If labels or conditions are the batch, or too few to be judged.
    """
    labels = None if labels_key is None else _labels(adata, labels_key, batch_key)
    condition = None if protect_key is None else _condition(adata, protect_key, batch_key)
    genes = check_genes(control_genes, adata.var_names)
    return Asked(labels, condition, protect_key or "", tuple(genes))


def _labels(adata: AnnData, key: str, batch_key: str) -> NDArray[np.object_]:
    column = column_of(adata, key, "labels_key")
    if key == batch_key:
        raise ValueError(f"labels_key={key!r} is the batch: name a column with cell types.")
    text = column.astype(str)
    labels = text.to_numpy(dtype=object)
    labels[(column.isna() | text.isin(_NO_LABEL)).to_numpy()] = None
    kinds = pd.Series(labels).nunique()
    if kinds < 2:
        raise ValueError(f"labels_key={key!r} has {kinds} kind(s) of cells: at least two are needed.")
    return labels


def _condition(adata: AnnData, key: str, batch_key: str) -> NDArray[np.str_]:
    column = column_of(adata, key, "protect_key")
    if key == batch_key:
        raise ValueError(
            f"protect_key={key!r} is the batch_key: the same differences cannot be removed and kept. Name the column "
            "that must survive, such as condition or disease."
        )
    if column.isna().any():
        cell = adata.obs_names[int(np.flatnonzero(column.isna())[0])]
        raise ValueError(
            f"protect_key={key!r} is missing for {column.isna().sum()} cells, first for {cell!r}: name their condition "
            "or leave them out."
        )
    text = column.astype(str).to_numpy().astype(str)
    levels, sizes = np.unique(text, return_counts=True)
    if len(levels) < 2:
        raise ValueError(f"protect_key={key!r} has one value only ({levels[0]}): there is nothing to protect.")
    small = [f"{level} ({n})" for level, n in zip(levels, sizes, strict=True) if n < _LEAST_CELLS]
    if small:
        more = f" and {len(small) - _MOST_NAMED} more" if len(small) > _MOST_NAMED else ""
        raise ValueError(
            f"protect_key={key!r}: {', '.join(small[:_MOST_NAMED])}{more} have fewer than {_LEAST_CELLS} cells, too "
            "few to judge. Merge conditions, or bin a number into a few groups."
        )
    return text


def column_of(adata: AnnData, key: str, argument: str) -> pd.Series:
    """Return a column of ``adata.obs``, or name those that there are."""
    if key not in adata.obs:
        raise KeyError(
            f"{argument}={key!r} is not in adata.obs; it holds {', '.join(map(repr, adata.obs)) or 'nothing'}."
        )
    return adata.obs[key]
