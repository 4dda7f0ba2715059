"""The one gate for matrices as files hold them: what is broken is refused, what is stored oddly is put in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from anndata.abc import CSCDataset, CSRDataset
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

_PIECE = 2**22
"""Entries that are looked at together, which bounds what is held in memory."""
_COMPRESSED = ("csr", "csc")


def to_canonical(
    values: Any,
    where: str = "The matrix",
    *,
    cells: Sequence[Any] | None = None,
    genes: Sequence[Any] | None = None,
) -> Any:
    """Return the same numbers in the form that compiled code of SciPy, PyTorch and numba expects.

    Parameters
    ----------
    values
        Array or sparse matrix in memory; it is not changed. Of matrices in files only what says where rows begin is
        looked at; their rows pass this gate when they are read.
    where
        What an error calls it.
    cells, genes
        Names for errors; None for numbers.

    Returns
    -------
    ``values`` itself where it is in order; otherwise a copy with numbers of the machine's byte order, and, of a sparse
    matrix, with sorted indices, and entries of the same cell and gene added up.

    Raises
    ------
    ValueError
        If values are no numbers, or a sparse matrix is broken: indices that lie outside, rows that begin before the
        one above or end behind the data. Compiled code would read or write memory that is not its own.
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
        return _native(values)
    _check_numbers(values.dtype, where)
    if values.format not in _COMPRESSED:
        if values.format == "coo":
            _check_places(values.row, values.shape[0], where, "row")
            _check_places(values.col, values.shape[1], where, "column")
        return to_canonical(values.tocsr(), where, cells=cells, genes=genes)
    n_stored = min(len(values.indices), len(values.data))
    _check_starts(values.indptr, values.shape, values.format, n_stored, where)
    _check_indices(values, where, cells if values.format == "csr" else genes)
    n = int(values.indptr[-1])
    if len(values.data) == len(values.indices) == n and _rises(values.indptr, values.indices):
        data = _native(values.data)
        return values if data is values.data else _replaced(values, data)
    data = _native(values.data[:n])
    # A sum of small integers would begin anew at zero.
    data = data.astype(np.int64) if data.dtype.kind in "biu" else data.copy()
    made = _replaced(values, data, values.indices[:n].copy())
    made.sum_duplicates()
    return made


def get_matrix(adata: AnnData, layer: str | None) -> Any:
    """Return the matrix of an AnnData, ``X`` or a layer that exists, in order; see :func:`to_canonical`."""
    where = "adata.X" if layer is None else f"adata.layers[{layer!r}]"
    values = adata.X if layer is None else adata.layers[layer]
    return to_canonical(values, where, cells=adata.obs_names, genes=adata.var_names)


def _replaced(values: Any, data: NDArray[Any], indices: NDArray[Any] | None = None) -> Any:
    """Sparse matrix with other data and its own notes of what is sorted."""
    parts = (data, values.indices if indices is None else indices, values.indptr.copy())
    made = getattr(sparse, f"{values.format}_{'array' if isinstance(values, sparse.sparray) else 'matrix'}")
    return made(parts, shape=values.shape)


def _native(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers in the byte order and a precision that PyTorch and numba know."""
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        return values.astype(np.float32 if values.dtype.itemsize < 4 else np.float64)
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _check_numbers(dtype: np.dtype[Any], where: str) -> None:
    if dtype.kind not in "biuf":
        raise ValueError(f"{where} holds values of type {dtype}, which are no numbers. Convert them first.")


def _check_starts(indptr: NDArray[Any], shape: Any, layout: str, n_stored: int | None, where: str) -> None:
    """Refuse rows (of CSC columns) that begin where they cannot."""
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
        raise ValueError(_broken(where, wrong))


def _check_indices(values: Any, where: str, names: Sequence[Any] | None) -> None:
    """Refuse indices outside of the matrix; the first is named with its cell."""
    n = int(values.indptr[-1])
    limit, indices = values.shape[1 if values.format == "csr" else 0], values.indices[:n]
    what, other = ("cell", "gene") if values.format == "csr" else ("gene", "cell")
    if indices.dtype.kind not in "iu":
        raise ValueError(_broken(where, f"indices are of type {indices.dtype}"))
    if n == 0 or (indices.min() >= 0 and indices.max() < limit):
        return
    place = int(np.argmax((indices < 0) | (indices >= limit)))
    row = int(np.searchsorted(values.indptr, place, side="right") - 1)
    name = f"number {row}" if names is None else repr(names[row])
    raise ValueError(_broken(where, f"{what} {name} has an entry for {other} number {indices[place]}, of {limit}"))


def _check_places(places: NDArray[Any], limit: int, where: str, what: str) -> None:
    if len(places) and (places.min() < 0 or places.max() >= limit):
        bad = places[int(np.argmax((places < 0) | (places >= limit)))]
        raise ValueError(_broken(where, f"there is an entry in {what} {bad}, of {limit}"))


def _broken(where: str, what: str) -> str:
    return f"{where} is a broken sparse matrix: {what}. Read or build it anew; its numbers cannot be trusted."


def _rises(indptr: NDArray[Any], indices: NDArray[Any]) -> bool:
    """Whether indices rise within every row, that is, are sorted and named once."""
    for first in range(0, len(indices) - 1, _PIECE):
        some = indices[first : first + _PIECE + 1]
        falls = np.flatnonzero(some[1:] <= some[:-1]) + first + 1
        starts = np.searchsorted(indptr, falls)
        if not np.array_equal(indptr[starts], falls):
            return False
    return True
