"""Trainings as tensors and plain types, for parts that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn


def copy_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """Detached CPU copies of a module's state, as a plain dict."""
    return {key: value.detach().cpu().clone() for key, value in module.state_dict().items()}


def history_columns(records: list[dict[str, float]]) -> dict[str, list[float]]:
    """Turn records of epochs into columns, with NaN where a record lacks one."""
    names = list(dict.fromkeys(name for record in records for name in record))
    return {name: [float(record.get(name, np.nan)) for record in records] for name in names}


def count_epochs(history: list[dict[str, float]]) -> int:
    """Epochs of a history, of which some records hold validation values only."""
    return sum("epoch" in record for record in history)


def plain_number(value: Any) -> float | int:
    """Turn a number of any kind into one of Python's."""
    return int(value) if isinstance(value, int | np.integer) else float(value)
