"""A training loop for small networks on minibatches cut from tensors in memory."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch

from scpareto._runtime import BestState

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn
    from torch.optim import Optimizer

_CLIP = 10.0


def fit_network(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    optimizer: Optimizer,
    train: Tensor,
    validation: Tensor | None = None,
    *,
    max_epochs: int,
    batch_size: int = 128,
    patience: int = 30,
    after_epoch: Callable[[int], bool] | None = None,
) -> int:
    """Minimise a loss, and keep the state of the best epoch where there are validation cells.

    Parameters
    ----------
    network
        Trained in place; left in evaluation mode.
    loss
        Takes rows of cells, shape ``(n_rows,)``, and returns a scalar.
    optimizer
        Of whatever is to be learned.
    train, validation
        Rows of the cells. Without validation cells all epochs are run, unless ``after_epoch`` ends them.
    max_epochs
        Epochs at most.
    batch_size
        Cells of a minibatch; minibatches are of equal size up to one cell.
    patience
        Epochs without a better validation loss after which training stops.
    after_epoch
        Called with the number of epochs that are done; True ends the training.

    Returns
    -------
    Number of epochs that were run.

    Raises
    ------
    RuntimeError
        If the loss is not finite.
    """
    best = BestState(patience)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for epoch in range(1, max_epochs + 1):
        network.train()
        parts = max(1, math.ceil(len(train) / batch_size))
        for rows in train[torch.randperm(len(train))].tensor_split(parts):
            optimizer.zero_grad(set_to_none=True)
            value = loss(rows)
            if not torch.isfinite(value):
                raise RuntimeError(f"the loss is {float(value)} in epoch {epoch}: training diverged.")
            value.backward()
            torch.nn.utils.clip_grad_norm_(parameters, _CLIP)
            optimizer.step()
        network.eval()
        if validation is not None and len(validation):
            with torch.no_grad():
                held_out = float(loss(validation))
            best.offer(held_out, lambda: copy.deepcopy(network.state_dict()))
            if best.has_given_up:
                break
        if after_epoch is not None and after_epoch(epoch):
            break
    if best.state is not None:
        network.load_state_dict(best.state)
    network.eval()
    return epoch
