"""What every metric asks of its arrays, checked once at the public edge."""

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
    labels = np.asarray(values)
    if labels.shape != (n_cells,):
        raise ValueError(f"`{name}` has shape {labels.shape} but there are {n_cells} cells; give one label per cell.")
    if labels.dtype.kind == "O":
        # A text "None" is a legitimate level (an untreated condition); the object None is a missing value.
        missing = np.fromiter((not isinstance(v, str) and str(v) in _MISSING for v in labels), bool, n_cells)
    else:
        missing = np.isnan(labels) if labels.dtype.kind == "f" else np.zeros(n_cells, dtype=bool)
    if missing.any():
        raise ValueError(
            f"`{name}` is missing for {np.count_nonzero(missing)} of {n_cells} cells; remove those cells or name them."
        )
    text = labels.astype(str)
    n_labels = len(np.unique(text))
    if n_labels < min_labels:
        raise ValueError(f"`{name}` has {n_labels} distinct label(s); at least {min_labels} are needed.")
    return text


def check_count(value: int, name: str, *, minimum: int) -> int:
    """Return ``value`` as an integer that is at least ``minimum``."""
    if int(value) != value or value < minimum:
        raise ValueError(f"`{name}` is {value}; give an integer of at least {minimum}.")
    return int(value)
