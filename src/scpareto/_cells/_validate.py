"""Check data before any training."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pandas as pd
from anndata.abc import CSCDataset, CSRDataset
from scipy import sparse

from scpareto._cells._blocks import is_in_memory, row_blocks
from scpareto._cells._columns import check_categories, check_column, check_numbers, is_continuous
from scpareto._cells._matrix import get_matrix
from scpareto._cells._names import format_names
from scpareto._cells._shape import check_one_type, check_shape
from scpareto._cells._where_counts import find_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

_CHUNK_SIZE = 2**20
"""Values that are checked at a time, which bounds the memory."""
_MIN_BATCH_CELLS = 10
"""Batches of fewer cells give a warning."""
_NUMERIC_ARGUMENTS = ("size_factor_key", "continuous_covariate_keys")
"""Arguments whose columns hold numbers."""
_MAX_COUNT = float(np.finfo(np.float32).max)
_MIN_TOTAL = float(np.finfo(np.float32).tiny)
"""Smallest total of a cell that is not zero in single precision, in which networks compute."""


def check_anndata(
    adata: AnnData,
    *,
    layer: str | None,
    obs_keys: dict[str, Sequence[str]],
    batch_key: str | None,
    labels_key: str | None,
    need_batches: bool,
    as_text: bool = False,
) -> None:
    """Check counts and keys.

    Parameters
    ----------
    adata
        The data.
    layer
        Layer of the counts; None for ``X``.
    obs_keys
        Columns of ``obs`` to register, keyed by the argument that named them.
    batch_key, labels_key
        Columns of batches and labels.
    need_batches
        Whether at least two batches are needed: not for query data, or if another nuisance is traded.
    as_text
        Whether categories are read as text and not saved, so that they may be of any type.

    Raises
    ------
    ValueError
        If ``adata`` is a view or has no cells or genes; if its counts cannot be read or are not counts; if a cell has
        no counts; if a column has values that are missing or cannot be trained on or saved; or with a single batch.
    KeyError
        If a layer or key does not exist.
    """
    check_shape(adata)
    if not isinstance(adata.obs, pd.DataFrame):
        raise ValueError("adata.obs is read lazily. Load it, the counts can stay: adata.obs = adata.obs.to_memory().")
    for argument, keys in obs_keys.items():
        for key in keys:
            check_column(adata.obs, key, argument)
            _check_values(adata.obs[key], key, argument, as_text=as_text)
    if layer is not None and layer not in adata.layers.keys():
        available = format_names(adata.layers)
        raise KeyError(f"layer={layer!r} is not in adata.layers. Available: {available}.")
    check_counts(adata, layer)
    if batch_key is not None:
        _check_batches(adata.obs[batch_key], batch_key, need_batches=need_batches)
        if labels_key is not None:
            _warn_if_confounded(adata.obs[batch_key], adata.obs[labels_key], batch_key, labels_key)


def check_counts(adata: AnnData, layer: str | None) -> None:
    """Check every stored count; see :func:`check_anndata`."""
    counts = adata.X if layer is None else adata.layers[layer]
    where = "adata.X" if layer is None else f"adata.layers[{layer!r}]"
    if counts is None:
        raise ValueError(f"{where} is empty. Put raw counts there, or name another layer.")
    if isinstance(counts, sparse.sparray):
        raise ValueError(
            f"{where} is a {type(counts).__name__}, which scvi-tools does not read. Convert it: "
            f"{where} = scipy.sparse.csr_matrix({where})."
        )
    if (reason := _explain_unsupported(counts)) is not None:
        raise ValueError(f"{where} is a {reason}")
    if is_in_memory(counts):
        counts = get_matrix(adata, layer)
    empty: list[int] = []
    fractional = False
    for first, block in row_blocks(counts):
        stored = (block.data if sparse.issparse(block) else np.asarray(block)).reshape(-1)
        # Chunks: intermediate values of the whole matrix would take as much memory as the counts.
        chunks = [stored[k : k + _CHUNK_SIZE] for k in range(0, len(stored), _CHUNK_SIZE)]
        for problem, is_wrong in (
            ("not finite (NaN or infinite)", lambda x: ~np.isfinite(x)),
            ("negative", lambda x: x < 0),
            ("too large for single precision", lambda x: x > _MAX_COUNT),
        ):
            if any(is_wrong(chunk).any() for chunk in chunks):
                bad = is_wrong(stored if sparse.issparse(block) else block)
                cell, gene, value = _find_first(block, bad)
                raise ValueError(
                    f"{where} holds {int(bad.sum())} values that are {problem}; the first is {value} in cell "
                    f"{adata.obs_names[first + cell]!r}, gene {adata.var_names[gene]!r}. Raw counts are needed."
                )
        empty += (first + np.flatnonzero(np.asarray(block.sum(axis=1)).ravel() < _MIN_TOTAL)).tolist()
        fractional = fractional or any(np.any(chunk != np.floor(chunk)) for chunk in chunks)
    if empty:
        raise ValueError(
            f"{len(empty)} cells have no counts in {where}; the first is {adata.obs_names[empty[0]]!r}. Remove them: "
            "sc.pp.filter_cells(adata, min_counts=1)."
        )
    if fractional:
        hint, normalised = find_counts(adata, layer)
        if normalised:
            raise ValueError(f"{where} holds normalised expression, and raw counts are needed. {hint}")
        warnings.warn(
            f"{where} holds fractional values. Ambient-corrected counts are fine; normalised or log-transformed values "
            f"are not. {hint}".strip(),
            UserWarning,
            stacklevel=4,
        )


def _explain_unsupported(counts: Any) -> str | None:
    """Return what to do with a type of counts on which scvi-tools fails during training; None for other types."""
    if isinstance(counts, np.ndarray | h5py.Dataset | CSRDataset | CSCDataset) or sparse.issparse(counts):
        return None
    kind = f"{type(counts).__module__}.{type(counts).__name__}, which scvi-tools does not read."
    if not hasattr(counts, "dask"):
        return f"{kind} Of a zarr store it reads sparse groups: write the counts as scipy.sparse.csr_matrix."
    if sparse.issparse(counts._meta):
        return f"{kind} Dask arrays must be dense; sparse counts of a file need none: anndata.io.sparse_dataset(group)."
    return None


def _find_first(counts: Any, bad: np.ndarray) -> tuple[int, int, float]:
    """Return cell, gene and value of the first bad entry."""
    if sparse.issparse(counts):
        position = int(np.argmax(bad))
        entries = counts.tocoo() if counts.format not in ("csr", "csc") else counts
        if entries.format == "coo":
            return int(entries.row[position]), int(entries.col[position]), float(entries.data[position])
        major = int(np.searchsorted(entries.indptr, position, side="right") - 1)
        minor = int(entries.indices[position])
        cell, gene = (major, minor) if entries.format == "csr" else (minor, major)
        return cell, gene, float(entries.data[position])
    cell, gene = (int(i) for i in np.argwhere(bad)[0])
    return cell, gene, float(np.asarray(counts)[cell, gene])


def _check_values(column: pd.Series, key: str, argument: str, *, as_text: bool) -> None:
    """Check the values of a column as numbers or categories, by the argument that named it."""
    if argument in _NUMERIC_ARGUMENTS or (argument == "nuisance_keys" and is_continuous(column)):
        check_numbers(column, key, size_factor=argument == "size_factor_key")
        return
    check_one_type(column, key)
    if not as_text:
        check_categories(column, key)


def _check_batches(batches: pd.Series, key: str, *, need_batches: bool) -> None:
    sizes = batches.astype(str).value_counts()
    if need_batches and len(sizes) < 2:
        raise ValueError(f"adata.obs[{key!r}] has one batch only ({sizes.index[0]!r}): there is nothing to correct.")
    small = sizes[sizes < _MIN_BATCH_CELLS]
    if need_batches and len(small):
        listed = ", ".join(f"{name!r} ({n})" for name, n in small.items())
        warnings.warn(
            f"Batches with fewer than {_MIN_BATCH_CELLS} cells: {listed}. What leaks of them cannot be measured.",
            UserWarning,
            stacklevel=4,
        )


def _warn_if_confounded(batches: pd.Series, labels: pd.Series, batch_key: str, labels_key: str) -> None:
    """Warn if every label occurs in one batch only, so that batch and biology are confounded."""
    table = pd.crosstab(batches.astype(str), labels.astype(str))
    if table.shape[0] > 1 and table.shape[1] > 1 and ((table > 0).sum(axis=0) == 1).all():
        warnings.warn(
            f"Each level of adata.obs[{labels_key!r}] occurs in one level of adata.obs[{batch_key!r}] only: removing "
            "the batch removes the labels too.",
            UserWarning,
            stacklevel=4,
        )


def holds_counts(expression: Any) -> bool:
    """Return whether a matrix holds whole, non-negative numbers.

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    for _, block in row_blocks(expression):
        values = block.data if sparse.issparse(block) else np.asarray(block)
        if not np.isfinite(values).all():
            raise ValueError("The expression holds values that are not finite. Fill or remove them.")
        if (values < 0).any() or (values != np.round(values)).any():
            return False
    return True
