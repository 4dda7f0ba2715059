"""Convert histories, states and numbers of a training to plain types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn


def copy_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Copy the state of a module to a plain dict of detached CPU tensors."""
    return {key: value.detach().cpu().clone() for key, value in module.state_dict().items()}


def history_columns(records: list[dict[str, float]]) -> dict[str, list[float]]:
    """Turn the records of epochs into columns; missing values are NaN."""
    names = list(dict.fromkeys(name for record in records for name in record))
    return {name: [float(record.get(name, np.nan)) for record in records] for name in names}


def count_epochs(history: list[dict[str, float]]) -> int:
    """Count the epochs of a history; some of its records hold validation values only."""
    return sum("epoch" in record for record in history)


def plain_number(value: Any) -> float | int:
    """Convert a number to a Python int or float."""
    return int(value) if isinstance(value, int | np.integer) else float(value)
