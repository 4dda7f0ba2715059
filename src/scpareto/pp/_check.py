"""Check counts, batches and options before any work."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from scpareto._cells import check_annotated, format_names, get_matrix

if TYPE_CHECKING:
    from collections.abc import Collection

    from anndata import AnnData
    from numpy.typing import NDArray


def get_counts(adata: AnnData, layer: str | None, *, empty_cells: bool = False) -> Any:
    """Return the checked matrix of counts, shape ``(n_cells, n_genes)``; it is copied only if necessary.

    Parameters
    ----------
    adata
        The data.
    layer
        Layer of the counts; None for ``adata.X``.
    empty_cells
        Whether cells may have no counts.

    Raises
    ------
    KeyError
        If the layer does not exist.
    ValueError
        If values are missing, infinite or negative, or a cell without counts is not allowed.

    Warns
    -----
    UserWarning
        If values are fractional.
    """
    if layer is not None and layer not in adata.layers:
        raise KeyError(f"layer={layer!r} is not in adata.layers; available: {format_names(adata.layers)}.")
    where = "adata.X" if layer is None else f"adata.layers[{layer!r}]"
    counts = adata.X if layer is None else adata.layers[layer]
    if counts is None:
        raise ValueError(f"{where} is empty; put raw counts there, or name another layer.")
    if adata.isbacked:
        raise ValueError(f"{where} is on disk; load it first: adata = adata.to_memory().")
    counts = get_matrix(adata, layer)
    values = counts.data if sparse.issparse(counts) else np.asarray(counts)
    # In pieces: the masks of a large matrix would be as large as its values.
    pieces = np.array_split(values.reshape(-1), max(1, values.size // 2**24))
    if not all(np.isfinite(piece).all() for piece in pieces):
        raise ValueError(f"{where} holds NaN or infinite values; raw counts are needed.")
    if any((piece < 0).any() for piece in pieces):
        raise ValueError(f"{where} holds negative values, down to {values.min():.3g}; raw counts are needed.")
    empty = np.flatnonzero(compute_totals(counts) == 0)
    if len(empty) and not empty_cells:
        raise ValueError(
            f"{len(empty)} cells have no counts in {where}; the first is {adata.obs_names[empty[0]]!r}. Remove them: "
            "sc.pp.filter_cells(adata, min_counts=1)."
        )
    if any((piece != np.floor(piece)).any() for piece in pieces):
        warnings.warn(
            f"{where} holds fractional values. Ambient-corrected counts are fine; normalised or log-transformed values "
            "are not.",
            UserWarning,
            stacklevel=3,
        )
    return counts


def compute_totals(counts: Any) -> NDArray[np.float64]:
    """Return the total counts of each cell."""
    return np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()


def get_batches(adata: AnnData, batch_key: str, *, n_neighbors: int) -> tuple[NDArray[np.int64], list[str]]:
    """Return the batch number of each cell and the names of the batches, in the order of their categories.

    Raises
    ------
    KeyError
        If the column does not exist.
    ValueError
        If batches are missing, there is only one, or one has fewer cells than ``n_neighbors``.
    """
    check_annotated(adata)
    if batch_key not in adata.obs:
        raise KeyError(f"batch_key={batch_key!r} is not in adata.obs; available: {format_names(adata.obs)}.")
    column = adata.obs[batch_key]
    if column.isna().any():
        raise ValueError(
            f"adata.obs[{batch_key!r}] is missing for {int(column.isna().sum())} cells; name or remove them."
        )
    category = pd.Categorical(column).remove_unused_categories()
    names = [str(name) for name in category.categories]
    if len(set(names)) < len(names):
        raise ValueError(f"adata.obs[{batch_key!r}] has batches that read alike as text: {', '.join(sorted(names))}.")
    if len(names) < 2:
        raise ValueError(f"adata.obs[{batch_key!r}] has one batch only ({names[0]!r}); at least two are needed.")
    sizes = np.bincount(category.codes, minlength=len(names))
    small = [f"{name!r} ({size})" for name, size in zip(names, sizes, strict=True) if size < n_neighbors]
    if small:
        raise ValueError(
            f"batches with fewer cells than n_neighbors={n_neighbors}: {', '.join(small)}; lower n_neighbors or remove "
            "them."
        )
    return category.codes.astype(np.int64), names


def check_choice(name: str, value: str, valid: Collection[str]) -> None:
    """Raise an error if a value is not one of the valid ones."""
    if value not in valid:
        raise ValueError(f"{name}={value!r} is unknown; choose one of {', '.join(map(repr, valid))}.")


def check_minimum(name: str, value: float, minimum: float, *, integer: bool = True) -> None:
    """Raise an error if a number is below its minimum, or is not an integer."""
    if not np.isfinite(value) or value < minimum or (integer and int(value) != value):
        kind = "an integer" if integer else "a number"
        raise ValueError(f"{name}={value} is out of range; give {kind} of at least {minimum}.")
