"""Copies of a module's weights, to go back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def copy_state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of the weights and buffers of a module, on their device."""
    return {key: value.detach().clone() for key, value in module.state_dict().items()}
