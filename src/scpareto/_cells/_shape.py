"""Check that data are an AnnData, not a view, and have cells and genes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


def check_annotated(adata: Any) -> None:
    """Refuse anything but annotated data, such as a file path or a table.

    Raises
    ------
    TypeError
        If ``adata`` has no ``obs``.
    """
    if not hasattr(adata, "obs"):
        path = isinstance(adata, str | os.PathLike)
        how = f"read the file first: sc.read_h5ad({str(adata)!r})" if path else "give cells as an AnnData"
        raise TypeError(f"adata is of type {type(adata).__name__}, not an AnnData: {how}.")


def check_shape(adata: AnnData) -> None:
    """Refuse views and data without cells or genes.

    Raises
    ------
    TypeError
        If ``adata`` is not an AnnData.
    ValueError
        If ``adata`` is a view of other data, or has no cells or no genes.
    """
    check_annotated(adata)
    if adata.is_view:
        how = "adata.to_memory()" if adata.isbacked else "adata.copy()"
        kind = "a backed AnnData" if adata.isbacked else "another AnnData"
        raise ValueError(f"adata is a view of {kind}. Pass a copy: adata = {how}.")
    for name, number in (("cells", adata.n_obs), ("genes", adata.n_vars)):
        if number == 0:
            raise ValueError(f"adata has no {name}: its shape is {adata.n_obs} cells x {adata.n_vars} genes.")


def check_one_type(column: pd.Series, key: str) -> None:
    """Refuse a column that mixes numbers and text: such values have no order and cannot be written to h5ad.

    Raises
    ------
    ValueError
        If its values are of several types.
    """
    values = column.cat.categories if column.dtype == "category" else column
    if values.dtype != object:
        return
    kinds = sorted({type(value).__name__ for value in values})
    if len(kinds) > 1:
        raise ValueError(
            f"adata.obs[{key!r}] holds values of several types ({', '.join(kinds)}). Make them text: "
            f"adata.obs[{key!r}] = adata.obs[{key!r}].astype(str)."
        )
