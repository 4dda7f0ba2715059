"""Fronts as tensors and plain Python values, which can be loaded without running code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

# Exact types: subclasses such as numpy.float64 pickle as themselves, which a safe load refuses.
_ATOMS = (type(None), bool, int, float, str)
_TENSOR_TYPES = {"float64", "int64", "bool"}


def to_plain(value: Any, where: str) -> Any:
    """Copy made of tensors and plain values only; numpy scalars and arrays are converted.

    Raises
    ------
    TypeError
        If something has no plain form; ``where`` says where it is.
    """
    if type(value) in _ATOMS:
        return value
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.generic):
        return to_plain(value.item(), where)
    if isinstance(value, np.ndarray):
        return torch.tensor(value) if value.dtype.kind in "biuf" else to_plain(value.tolist(), where)
    if isinstance(value, list | tuple):
        return type(value)([to_plain(item, f"{where}[{i}]") for i, item in enumerate(value)])
    if isinstance(value, dict):
        for key in value:
            if type(key) not in (str, int):
                raise TypeError(f"Keys of {where} must be strings or integers, got {key!r}.")
        return {key: to_plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    raise TypeError(f"{where} must hold plain values or tensors, got {type(value).__name__}: {value!r}.")


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
