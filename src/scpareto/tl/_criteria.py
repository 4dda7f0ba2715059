"""What is judged besides batch and structure: labels, a condition and genes that must survive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._cells import check_genes
from scpareto.tl._judge_inputs import get_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

_MIN_CELLS = 20
_MAX_LISTED = 5
_NO_LABEL = ("", "nan", "None", "<NA>")


@dataclass(frozen=True, eq=False)
class JudgeCriteria:
    """What is judged besides batch and structure.

    Attributes
    ----------
    labels
        Type of each cell, None where it is unknown; None without ``labels_key``.
    condition
        Condition of each cell; None without ``protect_key``.
    condition_name
        Name of its column.
    genes
        Genes whose pattern must survive.
    """

    labels: NDArray[np.object_] | None
    condition: NDArray[np.str_] | None
    condition_name: str
    genes: tuple[str, ...]


def read_criteria(
    adata: AnnData,
    *,
    batch_key: str,
    labels_key: str | None,
    protect_key: str | None,
    control_genes: str | Sequence[str],
) -> JudgeCriteria:
    """Read labels, condition and genes from an AnnData, and check them.

    Raises
    ------
    KeyError
        If a column or gene does not exist; the message lists similar names.
    ValueError
        If labels or conditions are the batch, or are too few to be judged.
    """
    labels = None if labels_key is None else _labels(adata, labels_key, batch_key)
    condition = None if protect_key is None else _condition(adata, protect_key, batch_key)
    genes = check_genes(control_genes, adata.var_names)
    return JudgeCriteria(labels, condition, protect_key or "", tuple(genes))


def _labels(adata: AnnData, key: str, batch_key: str) -> NDArray[np.object_]:
    column = get_column(adata, key, "labels_key")
    if key == batch_key:
        raise ValueError(f"labels_key={key!r} is the batch: name a column with cell types.")
    text = column.astype(str)
    labels = text.to_numpy(dtype=object)
    labels[(column.isna() | text.isin(_NO_LABEL)).to_numpy()] = None
    n_types = pd.Series(labels).nunique()
    if n_types < 2:
        raise ValueError(f"labels_key={key!r} has {n_types} kind(s) of cells: at least two are needed.")
    return labels


def _condition(adata: AnnData, key: str, batch_key: str) -> NDArray[np.str_]:
    column = get_column(adata, key, "protect_key")
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
    small = [f"{level} ({n})" for level, n in zip(levels, sizes, strict=True) if n < _MIN_CELLS]
    if small:
        more = f" and {len(small) - _MAX_LISTED} more" if len(small) > _MAX_LISTED else ""
        raise ValueError(
            f"protect_key={key!r}: {', '.join(small[:_MAX_LISTED])}{more} have fewer than {_MIN_CELLS} cells, too "
            "few to judge. Merge conditions, or bin a number into a few groups."
        )
    return text
