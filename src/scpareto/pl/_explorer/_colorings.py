"""Encode columns and genes as colourings of the cells."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scpareto._cells import format_names, get_matrix
from scpareto.pl._palette import category_colors, read_colors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

MISSING_CODE = 255
_MAX_CATEGORIES = 254
_MAX_INTEGER_CATEGORIES = 32
_TARGET_SUM = 1e4


@dataclass(frozen=True)
class Coloring:
    """Values of the cells as bytes, and the meaning of the bytes."""

    name: str
    kind: str
    """`"categories"`, `"numbers"` or `"gene"`."""
    codes: np.ndarray
    """Shape `(m,)`, uint8: number of the category, or 0 to 254 between `low` and `high`; 255 without a value."""
    categories: tuple[str, ...] = ()
    colors: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0


def check_names(adata: AnnData, color: Sequence[str], genes: Sequence[str]) -> None:
    """Raise an error if columns or genes do not exist.

    Parameters
    ----------
    adata
        The cells.
    color
        Columns of `adata.obs`.
    genes
        Names in `adata.var_names`.

    Raises
    ------
    TypeError
        If a single string is given for a list.
    ValueError
        If neither columns nor genes are given, or a name is unknown; the message lists valid ones.
    """
    for argument, names in (("color", color), ("genes", genes)):
        if isinstance(names, str):
            raise TypeError(f"{argument} must be a list of names, got the string {names!r}: write [{names!r}].")
    columns = ", ".join(repr(str(column)) for column in adata.obs.columns) or "none"
    for name in color:
        if name not in adata.obs.columns:
            raise ValueError(f"color={name!r} is not in adata.obs. Available: {columns}.")
    valid_genes = {str(gene) for gene in adata.var_names}
    for name in genes:
        if name not in valid_genes:
            similar = difflib.get_close_matches(name, valid_genes, n=3) or [str(gene) for gene in adata.var_names[:3]]
            raise ValueError(
                f"genes: {name!r} is not among the {adata.n_vars:,} names in adata.var_names, "
                f"such as {', '.join(map(repr, similar))}."
            )
    if not len(color) and not len(genes):
        raise ValueError(f"Nothing to colour by: give color, of {columns}, or genes.")


def color_by_column(name: str, adata: AnnData, cells: np.ndarray) -> Coloring:
    """Turn a column of obs into bytes.

    Parameters
    ----------
    name
        Name of the column.
    adata
        The cells. Strings, categories, booleans and integers of at most 32 different values are categories, in the
        colours of `adata.uns["<column>_colors"]` if they exist; other numbers are shown between their 1st and 99th
        percentile.
    cells
        Indices of the cells wanted, shape `(m,)`.

    Returns
    -------
    The colouring.

    Raises
    ------
    ValueError
        If there are more than 254 categories.
    """
    column = adata.obs[name].iloc[cells].reset_index(drop=True)
    numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    integers = pd.api.types.is_integer_dtype(column) and column.nunique() <= _MAX_INTEGER_CATEGORIES
    if numeric and not integers:
        values = column.to_numpy(dtype=float, na_value=np.nan)
        values = np.where(np.isfinite(values), values, np.nan)
        has_values = np.isfinite(values).any()
        low, high = np.nanpercentile(values, [1, 99]) if has_values else (0.0, 1.0)
        return Coloring(name, "numbers", _to_bytes(values, low, high), low=float(low), high=float(high))
    categorical = column.astype("category").cat.remove_unused_categories()
    categories = tuple(str(category) for category in categorical.cat.categories)
    if len(categories) > _MAX_CATEGORIES:
        raise ValueError(f"color={name!r} has {len(categories):,} categories; at most {_MAX_CATEGORIES} can be shown.")
    codes = categorical.cat.codes.to_numpy(dtype=np.int64)
    # colours are assigned by number, because categories of different types may have the same name as text
    numbers = [str(i) for i in range(len(categories))]
    stored = read_colors(adata, name, categories)
    colors = tuple(
        category_colors(numbers).values() if stored is None or len(stored) < len(categories) else stored.values()
    )
    return Coloring(
        name, "categories", np.where(codes < 0, MISSING_CODE, codes).astype(np.uint8), categories, colors=colors
    )


def color_by_genes(adata: AnnData, genes: Sequence[str], layer: str | None, cells: np.ndarray) -> list[Coloring]:
    """Turn the expression of genes into bytes: log(1 + counts per 10,000), from 0 to the largest value.

    Parameters
    ----------
    adata
        The cells, with raw counts.
    genes
        Names of genes.
    layer
        Layer with the counts; `X` if None.
    cells
        Indices of the cells wanted, shape `(m,)`.

    Returns
    -------
    One colouring for each gene.

    Raises
    ------
    ValueError
        If the layer does not exist.
    """
    if not len(genes):
        return []
    if layer is not None and layer not in adata.layers:
        raise ValueError(f"layer={layer!r} is not in adata.layers. Available: {format_names(adata.layers)}.")
    counts = get_matrix(adata, layer)
    totals = np.asarray(counts.sum(axis=1), dtype=float).ravel()[cells]
    scale = _TARGET_SUM / np.where(totals > 0, totals, 1.0)
    colorings = []
    for gene in genes:
        column = counts[:, int(np.flatnonzero(adata.var_names == gene)[0])]
        column = column.toarray() if hasattr(column, "toarray") else column
        values = np.log1p(np.asarray(column, dtype=float).ravel()[cells] * scale)
        high = float(values.max())
        colorings.append(Coloring(gene, "gene", _to_bytes(values, 0.0, high), low=0.0, high=high))
    return colorings


def _to_bytes(values: np.ndarray, low: float, high: float) -> np.ndarray:
    span = high - low if high > low else 1.0
    scaled = np.rint(np.clip((values - low) / span, 0.0, 1.0) * (MISSING_CODE - 1))
    return np.where(np.isnan(values), MISSING_CODE, scaled).astype(np.uint8)
