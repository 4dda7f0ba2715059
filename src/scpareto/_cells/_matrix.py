"""Check matrices as files hold them: refuse broken ones and bring unusual storage into canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from anndata.abc import CSCDataset, CSRDataset
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

_CHUNK_SIZE = 2**22
"""Entries that are checked at a time, which bounds the memory."""
_COMPRESSED = ("csr", "csc")


def to_canonical(
    values: Any,
    where: str = "The matrix",
    *,
    cells: Sequence[Any] | None = None,
    genes: Sequence[Any] | None = None,
) -> Any:
    """Return a matrix in the form that compiled code of SciPy, PyTorch and numba expects.

    Parameters
    ----------
    values
        Array or sparse matrix in memory; it is not changed. Of a matrix in a file only ``indptr`` is checked here; its
        rows are checked when they are read.
    where
        Name of the matrix, for errors.
    cells, genes
        Names of cells and genes, for errors; None to use numbers.

    Returns
    -------
    ``values`` itself if it is canonical. Otherwise a copy in native byte order; the copy of a sparse matrix has sorted
    indices, and duplicate entries of a cell and gene are summed.

    Raises
    ------
    ValueError
        If values are not numeric, or a sparse matrix is broken: indices out of range, or an ``indptr`` that falls or
        exceeds the stored data. Compiled code would access invalid memory.
    """
    if isinstance(values, CSRDataset | CSCDataset):
        _check_starts(np.asarray(values.group["indptr"][:]), values.shape, values.format, None, where)
        return values
    if not sparse.issparse(values):
        if not isinstance(values, np.ndarray):
            return values
        if isinstance(values, np.ma.MaskedArray):
            raise ValueError(f"{where} is a masked array, whose numbers may be missing. Fill it: {where}.filled(0).")
        _check_numbers(values.dtype, where)
        return _to_native(values)
    _check_numbers(values.dtype, where)
    if values.format not in _COMPRESSED:
        if values.format == "coo":
            _check_coordinates(values.row, values.shape[0], where, "row")
            _check_coordinates(values.col, values.shape[1], where, "column")
        return to_canonical(values.tocsr(), where, cells=cells, genes=genes)
    n_stored = min(len(values.indices), len(values.data))
    _check_starts(values.indptr, values.shape, values.format, n_stored, where)
    _check_indices(values, where, cells if values.format == "csr" else genes)
    n = int(values.indptr[-1])
    if len(values.data) == len(values.indices) == n and _has_canonical_indices(values.indptr, values.indices):
        data = _to_native(values.data)
        return values if data is values.data else _with_data(values, data)
    data = _to_native(values.data[:n])
    # Sums of small integers could overflow.
    data = data.astype(np.int64) if data.dtype.kind in "biu" else data.copy()
    canonical = _with_data(values, data, values.indices[:n].copy())
    canonical.sum_duplicates()
    return canonical


def get_matrix(adata: AnnData, layer: str | None) -> Any:
    """Return ``X`` or an existing layer of an AnnData in canonical form; see :func:`to_canonical`."""
    where = "adata.X" if layer is None else f"adata.layers[{layer!r}]"
    values = adata.X if layer is None else adata.layers[layer]
    return to_canonical(values, where, cells=adata.obs_names, genes=adata.var_names)


def _with_data(values: Any, data: NDArray[Any], indices: NDArray[Any] | None = None) -> Any:
    """Return a sparse matrix with other data; its flags of sorted indices are not shared."""
    parts = (data, values.indices if indices is None else indices, values.indptr.copy())
    matrix_class = getattr(sparse, f"{values.format}_{'array' if isinstance(values, sparse.sparray) else 'matrix'}")
    return matrix_class(parts, shape=values.shape)


def _to_native(values: NDArray[Any]) -> NDArray[Any]:
    """Convert numbers to native byte order and to a precision that PyTorch and numba support."""
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        return values.astype(np.float32 if values.dtype.itemsize < 4 else np.float64)
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _check_numbers(dtype: np.dtype[Any], where: str) -> None:
    if dtype.kind not in "biuf":
        raise ValueError(f"{where} holds values of type {dtype}, which are no numbers. Convert them first.")


def _check_starts(indptr: NDArray[Any], shape: Any, layout: str, n_stored: int | None, where: str) -> None:
    """Refuse an invalid ``indptr``, the starts of rows (CSR) or columns (CSC)."""
    n, what = (shape[0], "cell") if layout == "csr" else (shape[1], "gene")
    wrong = None
    if indptr.ndim != 1 or indptr.dtype.kind not in "iu" or len(indptr) != n + 1:
        wrong = f"indptr must hold {n + 1} whole numbers and has shape {indptr.shape}"
    elif indptr[0] != 0:
        wrong = f"indptr begins with {indptr[0]} in place of 0"
    elif (falls := indptr[1:] < indptr[:-1]).any():
        wrong = f"indptr falls after {what} number {int(np.argmax(falls))}"
    elif n_stored is not None and indptr[-1] > n_stored:
        wrong = f"indptr ends with {indptr[-1]}, but {n_stored} values are stored"
    if wrong is not None:
        raise ValueError(_broken_message(where, wrong))


def _check_indices(values: Any, where: str, names: Sequence[Any] | None) -> None:
    """Refuse indices out of range; the error names the first with its cell."""
    n = int(values.indptr[-1])
    limit, indices = values.shape[1 if values.format == "csr" else 0], values.indices[:n]
    what, other = ("cell", "gene") if values.format == "csr" else ("gene", "cell")
    if indices.dtype.kind not in "iu":
        raise ValueError(_broken_message(where, f"indices are of type {indices.dtype}"))
    if n == 0 or (indices.min() >= 0 and indices.max() < limit):
        return
    position = int(np.argmax((indices < 0) | (indices >= limit)))
    row = int(np.searchsorted(values.indptr, position, side="right") - 1)
    name = f"number {row}" if names is None else repr(names[row])
    raise ValueError(
        _broken_message(where, f"{what} {name} has an entry for {other} number {indices[position]}, of {limit}")
    )


def _check_coordinates(coordinates: NDArray[Any], limit: int, where: str, what: str) -> None:
    if len(coordinates) and (coordinates.min() < 0 or coordinates.max() >= limit):
        bad = coordinates[int(np.argmax((coordinates < 0) | (coordinates >= limit)))]
        raise ValueError(_broken_message(where, f"there is an entry in {what} {bad}, of {limit}"))


def _broken_message(where: str, what: str) -> str:
    return f"{where} is a broken sparse matrix: {what}. Read or build it anew; its numbers cannot be trusted."


def _has_canonical_indices(indptr: NDArray[Any], indices: NDArray[Any]) -> bool:
    """Return whether indices rise strictly within every row, that is, are sorted and without duplicates."""
    for first in range(0, len(indices) - 1, _CHUNK_SIZE):
        chunk = indices[first : first + _CHUNK_SIZE + 1]
        falls = np.flatnonzero(chunk[1:] <= chunk[:-1]) + first + 1
        starts = np.searchsorted(indptr, falls)
        if not np.array_equal(indptr[starts], falls):
            return False
    return True
