"""What the processes of a distributed training agree on; plain values where there is one process."""

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


def averaged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of an array over all processes."""
    if not several():
        return values
    return np.asarray(averaged_tensor(torch.as_tensor(values, dtype=torch.float64, device=_device())).cpu())


def averaged_tensor(values: Tensor) -> Tensor:
    """Mean of a tensor over all processes, on its device."""
    return averaged_tensors([values])[0]


def of_first_process(value: T) -> T:
    """Value that the first process has: processes that went on with unequal ones would end up waiting for each other.

    Parameters
    ----------
    value
        Anything that can be pickled.
    """
    if not several():
        return value
    shared = [value]
    distributed.broadcast_object_list(shared, src=0, device=torch.device(_device()))
    return shared[0]


def averaged_gradient(loss: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor | None]:
    """Gradient of a loss with respect to each parameter, averaged over all processes; None where there is none.

    Gradients are taken and averaged here, not by the hooks of distributed data parallel: these expect one backward pass
    for each step, and a step of a front takes one for each objective and more for the critics.
    """
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    known = iter(averaged_tensors([gradient for gradient in gradients if gradient is not None]))
    return [None if gradient is None else next(known) for gradient in gradients]


def averaged_tensors(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Mean of each of several tensors over all processes."""
    if not several() or not tensors:
        return list(tensors)
    # One message instead of one for each tensor.
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]


def share_buffers(module: nn.Module) -> None:
    """Give all processes the buffers of the first one, such as running statistics, which each finds from its cells.

    Distributed data parallel does so before each training step, hence not after the last one.
    """
    if several():
        for buffer in module.buffers():
            distributed.broadcast(buffer, src=0)


def is_first_process() -> bool:
    """Whether this process writes and talks; known before the processes are connected."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def computes_for_all() -> bool:
    """Whether this process computes what :func:`of_first_process` hands to the others, if they are connected at all."""
    return is_first_process() or not several()


def several() -> bool:
    """Whether this is one of several processes of a training."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def _device() -> str:
    """Where messages have to lie."""
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
