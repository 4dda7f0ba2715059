"""Losses and gradients of a step: sums, inner products, and fixed running statistics."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.modules.batchnorm import _BatchNorm

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn


def compute_gramian(rows: Sequence[Sequence[Tensor | None]]) -> NDArray[np.float64]:
    """Gramian ``(p, p)`` of p gradients, each a list over parameters; None where one does not depend on a parameter."""
    gramian = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        for j, other in enumerate(rows[: i + 1]):
            pairs = [(a, b) for a, b in zip(row, other, strict=True) if a is not None and b is not None]
            products = [torch.dot(a.flatten(), b.flatten()) for a, b in pairs]
            gramian[i, j] = gramian[j, i] = float(torch.stack(products).sum()) if products else 0.0
    return gramian


def sum_gradients(rows: Sequence[Sequence[Tensor | None]], weights: NDArray[np.float64]) -> list[Tensor | None]:
    """Weighted sum of gradients, by parameter; None where no loss depends on it."""
    sums: list[Tensor | None] = []
    for of_losses in zip(*rows, strict=True):
        total = None
        for weight, gradient in zip(weights, of_losses, strict=True):
            if gradient is not None:
                part = gradient if weight == 1 else gradient * float(weight)
                total = part if total is None else total + part
        sums.append(total)
    return sums


@contextmanager
def fix_running_statistics(module: nn.Module) -> Iterator[None]:
    """Keep the running statistics of batch normalisation while encoding for the critics."""
    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    kept = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, kept, strict=True):
            layer.momentum = momentum


def stack_losses(losses: list[Tensor | None]) -> Tensor:
    """Stack losses into one tensor on their device; NaN for inactive ones."""
    first = next(loss for loss in losses if loss is not None)
    return torch.stack([first.new_tensor(torch.nan) if loss is None else loss.detach() for loss in losses])


def losses_to_numpy(losses: list[Tensor | None]) -> NDArray[np.float64]:
    """Convert losses to an array; NaN for inactive ones."""
    return stack_losses(losses).cpu().double().numpy()


def is_mapped(module: nn.Module) -> bool:
    """Whether scvi-tools has frozen parts of layers, as ``load_query_data`` does."""
    return any(getattr(layer, "hooks", None) for layer in module.modules())


def is_fast(parameter: Tensor) -> bool:
    """Whether Adam has a fused form for the device of a parameter."""
    return parameter.device.type in ("cpu", "cuda")


def to_dense(values: Tensor) -> Tensor:
    """Return values as a dense tensor: minibatches that the trainer does not hand over may be sparse."""
    return values if values.layout is torch.strided else values.to_dense()
