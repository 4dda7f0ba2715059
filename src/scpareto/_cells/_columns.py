"""Check the columns that are registered: their names, and values that can be trained on and saved."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import pandas as pd

_MAX_NUMBER = 1e15
"""The squares of larger numbers overflow single precision."""
_MAX_SIZE_FACTOR_RATIO = 1e6
"""Largest ratio of a size factor to the median, or of the median to a size factor."""
_MAX_LEVELS = 20
"""Categories that a column may have even if it has few cells."""
_CATEGORY_TYPES = (str, bool, int, float, np.bool_, np.integer, np.floating)
"""Types of category names that a saved model can hold."""


def parse_key(given: Any, argument: str) -> str | None:
    """Return the name of a column, given as text or as a list of one.

    Raises
    ------
    TypeError
        If the name is not text, or several are given.
    """
    if given is None or isinstance(given, str):
        return None if given is None else str(given)
    keys = parse_keys(given, argument) or []
    if len(keys) != 1:
        raise TypeError(
            f"{argument}={given!r} must be the name of one column of adata.obs. Put several columns together first: "
            "adata.obs['both'] = adata.obs['a'].astype(str) + '_' + adata.obs['b'].astype(str)."
        )
    return keys[0]


def parse_keys(given: Any, argument: str) -> list[str] | None:
    """Return names of columns as a list without repeats; None if there are none.

    Parameters
    ----------
    given
        A name, or a list, tuple, array or index of names.
    argument
        Name of the argument, for errors.

    Raises
    ------
    TypeError
        If a name is not text, or the names have no order.
    """
    if given is None:
        return None
    listed = [given] if isinstance(given, str) else given
    if isinstance(listed, Set | Mapping) or not hasattr(listed, "__iter__"):
        raise TypeError(f"{argument}={given!r} must be a list of names of columns of adata.obs, or one name.")
    keys = list(listed)
    for key in keys:
        if not isinstance(key, str):
            raise TypeError(f"{argument}={given!r}: {key!r} is no name of a column of adata.obs, which is text.")
    return list(dict.fromkeys(map(str, keys))) or None


def is_continuous(column: pd.Series) -> bool:
    """Return whether a nuisance is numeric rather than categorical."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def check_column(obs: pd.DataFrame, key: str, argument: str) -> None:
    """Refuse a column that does not exist, exists twice, or has missing values.

    Raises
    ------
    KeyError
        If it does not exist.
    ValueError
        If two columns have this name, or values are missing.
    """
    if key not in obs:
        raise KeyError(f"{argument}={key!r} is not in adata.obs. Available: {', '.join(map(repr, obs.columns))}.")
    if isinstance(obs[key], pd.DataFrame):
        raise ValueError(f"{argument}={key!r}: adata.obs has {obs[key].shape[1]} columns of this name. Rename them.")
    missing = obs[key].isna()
    if missing.any():
        raise ValueError(
            f"adata.obs[{key!r}] has {int(missing.sum())} missing values; the first is cell "
            f"{obs.index[int(np.argmax(missing))]!r}. Fill them or remove those cells."
        )


def check_categories(column: pd.Series, key: str) -> None:
    """Refuse categories that cannot be saved, or a column with nearly as many categories as cells.

    Raises
    ------
    ValueError
        If values are dates, intervals, periods or other objects, mix text and numbers, are infinite, or nearly every
        cell has its own.
    """
    levels = pd.Index(column.unique())
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = column.cat.remove_unused_categories().cat.categories
    as_text = f"Write them as text: adata.obs[{key!r}] = adata.obs[{key!r}].astype(str)."
    values = levels.to_list()
    for value in values:
        if not isinstance(value, _CATEGORY_TYPES):
            raise ValueError(
                f"adata.obs[{key!r}] holds values of type {type(value).__name__}, such as {value} in cell "
                f"{_first_with(column, value)!r}, which a saved model cannot hold as categories. {as_text}"
            )
    texts = [isinstance(value, str) for value in values]
    if any(texts) and not all(texts):
        other = values[texts.index(not texts[0])]
        raise ValueError(
            f"adata.obs[{key!r}] mixes text and numbers, such as {values[0]!r} and {other!r} in cell "
            f"{_first_with(column, other)!r}. {as_text}"
        )
    if not any(texts) and not np.isfinite(numbers := np.asarray(values, dtype=float)).all():
        wrong = values[int(np.argmax(~np.isfinite(numbers)))]
        raise ValueError(
            f"adata.obs[{key!r}] holds the category {wrong}, first in cell {_first_with(column, wrong)!r}."
        )
    if len(values) > max(_MAX_LEVELS, len(column) / 2):
        raise ValueError(
            f"adata.obs[{key!r}] has {len(values)} categories for {len(column)} cells, such as {values[0]!r}: nearly "
            "every cell is one of its own. Name a column of groups, or register a number as continuous."
        )


def check_numbers(column: pd.Series, key: str, *, size_factor: bool = False) -> None:
    """Refuse values that are not numbers or cannot be trained on.

    Parameters
    ----------
    column, key
        The column, and its name in ``adata.obs``.
    size_factor
        Whether numbers have to be positive and of comparable size.

    Raises
    ------
    ValueError
        If values are text, dates, categories or complex, are not finite, too large, or no size factors.
    """
    where = f"adata.obs[{key!r}]"
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
        raise ValueError(
            f"{where} holds {column.dtype}, not numbers; the first is {column.iloc[0]!r} in cell "
            f"{column.index[0]!r}. Convert it, as by pd.to_numeric({where}.astype(str)), or register it as categorical."
        )
    if isinstance(column.dtype, np.dtype) and not column.dtype.isnative:
        raise ValueError(f"{where} is stored in a byte order that PyTorch does not read: {where}.astype(float).")
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    kinds = [("not finite", ~np.isfinite(values)), (f"beyond {_MAX_NUMBER:.0e} in size", np.abs(values) > _MAX_NUMBER)]
    if size_factor:
        median = np.median(np.abs(values)) or 1.0
        kinds.append(("not positive, and size factors have to be", ~(values > 0)))
        outside = (values > median * _MAX_SIZE_FACTOR_RATIO) | (values < median / _MAX_SIZE_FACTOR_RATIO)
        kinds.append(
            (f"more than {_MAX_SIZE_FACTOR_RATIO:.0e} times above or below the median, as no size factor is", outside)
        )
    for kind, wrong in kinds:
        if wrong.any():
            first = int(np.argmax(wrong))
            raise ValueError(
                f"{where} holds {int(wrong.sum())} values that are {kind}; the first is {values[first]} in cell "
                f"{column.index[first]!r}. Correct them or remove those cells."
            )


def _first_with(column: pd.Series, value: Any) -> Any:
    """Return the name of the first cell with a value."""
    return next(name for name, other in zip(column.index, column, strict=True) if other is value or other == value)
