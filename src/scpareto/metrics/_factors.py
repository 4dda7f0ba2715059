"""Known factors of variation, as levels and as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

Factors = pd.DataFrame | Mapping[str, Any]
"""Factors of variation, one column per factor and one row per cell."""

_QUANTILES = 4


def check_factors(factors: Factors, *, n_cells: int) -> pd.DataFrame:
    """Return factors as a frame of ``n_cells`` rows without missing values.

    Raises
    ------
    ValueError
        If there are none, lengths differ, values are missing, or a factor has one value only.
    """
    columns = {str(name): pd.Series(np.asarray(values)) for name, values in dict(factors).items()}
    if isinstance(factors, pd.DataFrame):
        # Categories keep their order.
        columns = {str(name): factors[name].reset_index(drop=True) for name in factors.columns}
    if not columns:
        raise ValueError("`factors` is empty; give at least one known factor of variation.")
    for name, values in columns.items():
        if len(values) != n_cells:
            raise ValueError(f"factor {name!r} has {len(values)} values but there are {n_cells} cells.")
        if values.isna().any():
            raise ValueError(f"factor {name!r} is missing for {int(values.isna().sum())} of {n_cells} cells.")
        if values.nunique() < 2:
            raise ValueError(f"factor {name!r} has the same value in all cells; leave it out.")
    return pd.DataFrame(columns)


def as_levels(values: pd.Series, *, max_levels: int = 50) -> NDArray[np.int64]:
    """Return the level of each cell; numbers with more than ``max_levels`` values are cut into quartiles."""
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > max_levels:
        return np.asarray(pd.qcut(values, _QUANTILES, labels=False, duplicates="drop"), dtype=np.int64)
    return np.unique(np.asarray(values).astype(str), return_inverse=True)[1]


def as_numbers(values: pd.Series, name: str) -> NDArray[np.float64]:
    """Return a factor as numbers that have an order.

    Raises
    ------
    ValueError
        If the factor has more than two levels without an order.
    """
    if pd.api.types.is_numeric_dtype(values):
        return np.asarray(values, dtype=np.float64)
    if isinstance(values.dtype, pd.CategoricalDtype) and values.cat.ordered:
        return np.asarray(values.cat.codes, dtype=np.float64)
    levels, numbers = np.unique(np.asarray(values).astype(str), return_inverse=True)
    if len(levels) > 2:
        raise ValueError(
            f"factor {name!r} has {len(levels)} levels without an order, so no rank correlation; give numbers, ordered "
            "categories or two levels, or leave it out."
        )
    return numbers.astype(np.float64)
