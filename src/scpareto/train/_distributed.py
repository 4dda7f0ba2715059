"""Averages over the processes of a distributed training; plain values where there is one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn


def averaged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of an array over all processes."""
    if not _several():
        return values
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    total = torch.as_tensor(values, dtype=torch.float64, device=device).clone()
    distributed.all_reduce(total)
    return np.asarray((total / distributed.get_world_size()).cpu())


def averaged_gradient(loss: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor | None]:
    """Gradient of a loss with respect to each parameter, averaged over all processes; None where there is none.

    Gradients are taken and averaged here, not by the hooks of distributed data parallel: these expect one backward pass
    for each step, and a step of a front takes one for each objective and more for the critics.
    """
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    known = [gradient for gradient in gradients if gradient is not None]
    if _several() and known:
        # One message instead of one for each parameter.
        flat = torch.cat([gradient.flatten() for gradient in known])
        distributed.all_reduce(flat)
        flat /= distributed.get_world_size()
        parts = iter(flat.split([gradient.numel() for gradient in known]))
        return [None if gradient is None else next(parts).view_as(gradient) for gradient in gradients]
    return list(gradients)


def _several() -> bool:
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
