"""Average and share values between the processes of a distributed training; no-ops in a single process."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from torch import distributed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

T = TypeVar("T")


def average_array(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average an array over all processes."""
    if not is_distributed():
        return values
    return np.asarray(average_tensor(torch.as_tensor(values, dtype=torch.float64, device=_device())).cpu())


def average_tensor(values: Tensor) -> Tensor:
    """Average a tensor over all processes, on its device."""
    return average_tensors([values])[0]


def broadcast_from_first(value: T) -> T:
    """Return the value of the first process in all processes; with unequal values they would wait for each other.

    Parameters
    ----------
    value
        Anything that can be pickled.
    """
    if not is_distributed():
        return value
    shared = [value]
    distributed.broadcast_object_list(shared, src=0, device=torch.device(_device()))
    return shared[0]


def compute_mean_gradient(loss: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor | None]:
    """Compute the gradient of a loss for each parameter, averaged over all processes; None where there is none.

    The hooks of distributed data parallel cannot do this: they expect one backward pass per step, and a step of a
    front takes one pass per objective and further ones for the critics.
    """
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    means = iter(average_tensors([gradient for gradient in gradients if gradient is not None]))
    return [None if gradient is None else next(means) for gradient in gradients]


def average_tensors(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Average each tensor over all processes."""
    if not is_distributed() or not tensors:
        return list(tensors)
    # One message instead of one for each tensor.
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]


def broadcast_buffers(module: nn.Module) -> None:
    """Copy the buffers of the first process, such as running statistics, to all others.

    Distributed data parallel does so before each training step, but not after the last one.
    """
    if is_distributed():
        for buffer in module.buffers():
            distributed.broadcast(buffer, src=0)


def is_first_process() -> bool:
    """Whether this process writes files and messages; works before the processes are connected."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def computes_for_all() -> bool:
    """Whether this process computes the values that :func:`broadcast_from_first` sends to the others."""
    return is_first_process() or not is_distributed()


def is_distributed() -> bool:
    """Whether this is one of several processes of a training."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def _device() -> str:
    """Return the device of tensors that are sent to other processes."""
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
