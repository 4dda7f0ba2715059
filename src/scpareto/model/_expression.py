"""Checks of the expression matrix before any training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from scpareto._cells import check_counts, check_shape, format_names, get_matrix, is_in_memory

if TYPE_CHECKING:
    from anndata import AnnData


def check_expression(adata: AnnData, layer: str | None) -> None:
    """Check that the expression matrix exists and is finite.

    Raises
    ------
    ValueError
        If ``adata`` is a view or has no cells or genes, or expression is absent, of a kind that scvi-tools does not
        read, or not finite.
    KeyError
        If the layer does not exist.
    """
    check_shape(adata)
    if layer is not None and layer not in adata.layers:
        raise KeyError(f"layer={layer!r} is not in adata.layers. Available: {format_names(adata.layers)}.")
    check_finite(adata, layer)


def check_finite(adata: AnnData, layer: str | None) -> None:
    """Check that a matrix exists, can be read, and is finite; see :func:`check_expression`."""
    values = adata.X if layer is None else adata.layers[layer]
    if values is None or isinstance(values, sparse.sparray):
        raise ValueError(
            f"{_where(layer)} is {type(values).__name__}; give a numpy array or a scipy.sparse.csr_matrix."
        )
    if is_in_memory(values):
        values = get_matrix(adata, layer)
    bad = ~np.isfinite(_stored(values))
    if bad.any():
        raise ValueError(f"{_where(layer)} holds {int(bad.sum())} values that are NaN or infinite.")


def check_kind(adata: AnnData, layer: str | None, *, counts: bool, reason: str) -> None:
    """Refuse counts where log-normalised expression is needed, and the other way round.

    Raises
    ------
    ValueError
        If the values are of the other kind.
    """
    values = _stored(get_matrix(adata, layer))
    integers = bool(np.all(values == np.floor(values)))
    if counts:
        check_counts(adata, layer)
        if not integers:
            raise ValueError(f"{reason} needs raw counts, but {_where(layer)} holds fractional values.")
    elif integers and values.size:
        raise ValueError(
            f"{reason} takes log-normalised expression, but {_where(layer)} holds counts: run sc.pp.normalize_total "
            "and sc.pp.log1p on a copy or layer, or choose a likelihood or output for counts."
        )


def _stored(values: Any) -> np.ndarray:
    return values.data if sparse.issparse(values) else np.asarray(values)


def _where(layer: str | None) -> str:
    return "adata.X" if layer is None else f"adata.layers[{layer!r}]"
