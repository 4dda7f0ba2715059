"""Fronts and models as tensors and plain Python values, which can be loaded without running code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

# Exact types: subclasses such as numpy.float64 pickle as themselves, which a safe load refuses.
_ATOMS = (type(None), bool, int, float, str)
_TENSOR_TYPES = {"float64", "int64", "bool"}
_FRAME_KEY = "__dataframe__"


def to_plain(value: Any, where: str) -> Any:
    """Return a copy of tensors and plain values only, which ``torch.load(..., weights_only=True)`` opens.

    Arrays, series and indices of numbers become tensors, others lists; frames become dicts of columns, numpy scalars
    Python scalars, any mapping a dict, devices and types strings. Lists stay lists and tuples stay tuples, so that a
    loaded value equals the saved one; a named tuple loses its names, a set becomes a list. The first saved models have
    lists in place of tuples, so that readers must accept both.

    Parameters
    ----------
    value
        Value to copy.
    where
        Name of the value, for error messages.

    Raises
    ------
    TypeError
        If something has no plain form; the message says where it is.
    """
    if type(value) in _ATOMS:
        return value
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.generic):
        return to_plain(value.item(), where)
    if isinstance(value, np.ndarray):
        # The copy is writable and has no negative strides.
        return torch.from_numpy(value.copy()) if value.dtype.kind in "biuf" else to_plain(value.tolist(), where)
    if isinstance(value, pd.DataFrame):
        columns = {str(name): to_plain(value[name].to_numpy(), f"{where}[{name!r}]") for name in value.columns}
        return {_FRAME_KEY: columns}
    if isinstance(value, pd.Series | pd.Index):
        return to_plain(value.to_numpy(), where)
    if isinstance(value, list | tuple | set):
        items = [to_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, Mapping):
        return {_plain_key(key, where): to_plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, torch.device | torch.dtype):
        return str(value)
    raise TypeError(f"{where} must hold plain values or tensors, got {type(value).__name__}: {value!r:.100}.")


def _plain_key(key: Any, where: str) -> Any:
    plain = key.item() if isinstance(key, np.generic) else key
    if type(plain) not in _ATOMS:
        raise TypeError(f"Keys of {where} must be plain values, got {key!r}.")
    return plain


def table_to_plain(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Columns with their types; numbers as tensors, so that every bit survives."""
    plain: dict[str, dict[str, Any]] = {}
    for name, column in table.items():
        dtype = str(column.dtype)
        if dtype in _TENSOR_TYPES:
            values: Any = torch.tensor(column.to_numpy())
        else:
            listed = [None if value is pd.NA else value for value in column.tolist()]
            values = to_plain(listed, f"column {name!r}")
        plain[str(name)] = {"dtype": dtype, "values": values}
    return plain


def table_from_plain(plain: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Rebuild from :func:`table_to_plain`."""
    columns = {}
    for name, column in plain.items():
        values = column["values"]
        listed = values.numpy().copy() if isinstance(values, torch.Tensor) else values
        columns[name] = pd.Series(listed, dtype=column["dtype"])
    return pd.DataFrame(columns)
