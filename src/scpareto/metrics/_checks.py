"""Checks of the input arrays of all metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_MISSING = frozenset({"nan", "None", "<NA>", "NaT"})


def check_matrix(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return ``values`` as a finite float64 matrix of shape ``(n_cells, n_columns)``."""
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise ValueError(f"`{name}` has shape {matrix.shape}; give one row per cell and at least one column.")
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"`{name}` is NaN or infinite in {np.count_nonzero(~finite)} of {len(matrix)} rows; "
            "remove those cells or find out why the model diverged."
        )
    return matrix


def check_labels(values: ArrayLike, name: str, *, n_cells: int, min_labels: int = 1) -> NDArray[np.str_]:
    """Return ``values`` as one string label per cell.

    Strings make any kind of label (categories, numbers, booleans) sortable and comparable between two arrays.
    """
    labels = _label_array(values, name, n_cells)
    missing = _missing(labels)
    if missing.any():
        raise ValueError(
            f"`{name}` is missing for {np.count_nonzero(missing)} of {n_cells} cells; remove those cells or name them."
        )
    text = labels.astype(str)
    n_labels = len(np.unique(text))
    if n_labels < min_labels:
        raise ValueError(f"`{name}` has {n_labels} distinct label(s); at least {min_labels} are needed.")
    return text


def check_annotated(
    values: ArrayLike, name: str, *, n_cells: int, min_labels: int = 1
) -> tuple[NDArray[np.str_], NDArray[np.bool_]]:
    """Return the string labels of the annotated cells, and the mask of these cells among all cells."""
    labels = _label_array(values, name, n_cells)
    annotated = ~_missing(labels)
    text = check_labels(labels[annotated], name, n_cells=int(annotated.sum()), min_labels=min_labels)
    return text, annotated


def check_count(value: int, name: str, *, minimum: int) -> int:
    """Return ``value`` as an integer that is at least ``minimum``."""
    if int(value) != value or value < minimum:
        raise ValueError(f"`{name}` is {value}; give an integer of at least {minimum}.")
    return int(value)


def _label_array(values: ArrayLike, name: str, n_cells: int) -> NDArray:
    # As objects, because in a list that mixes text and NaN numpy would turn the missing value into the text "nan".
    labels = np.asarray(values) if hasattr(values, "dtype") else np.asarray(values, dtype=object)
    if labels.shape != (n_cells,):
        raise ValueError(f"`{name}` has shape {labels.shape} but there are {n_cells} cells; give one label per cell.")
    return labels


def _missing(labels: NDArray) -> NDArray[np.bool_]:
    if labels.dtype.kind == "O":
        # A text "None" is a legitimate level (an untreated condition); the object None is a missing value.
        return np.fromiter((not isinstance(v, str) and str(v) in _MISSING for v in labels), bool, len(labels))
    return np.isnan(labels) if labels.dtype.kind == "f" else np.zeros(len(labels), dtype=bool)
