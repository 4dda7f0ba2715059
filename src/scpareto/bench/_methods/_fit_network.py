"""Training loop for small networks on minibatches of tensors in memory."""

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

_MAX_GRADIENT_NORM = 10.0


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
    """Minimise a loss, and keep the state of the best epoch if there are validation cells.

    Parameters
    ----------
    network
        Trained in place; left in evaluation mode.
    loss
        Takes rows of cells, shape ``(n_rows,)``, and returns a scalar.
    optimizer
        Optimiser of the trained parameters.
    train, validation
        Rows of the cells. Without validation cells all epochs are run, unless ``after_epoch`` stops the training.
    max_epochs
        Largest number of epochs.
    batch_size
        Cells of a minibatch; the sizes of minibatches differ by one cell at most.
    patience
        Training stops after as many epochs without a better validation loss.
    after_epoch
        Called with the number of finished epochs; True stops the training.

    Returns
    -------
    Number of epochs.

    Raises
    ------
    RuntimeError
        If the loss is not finite.
    """
    best = BestState(patience)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for epoch in range(1, max_epochs + 1):
        network.train()
        n_minibatches = max(1, math.ceil(len(train) / batch_size))
        for rows in train[torch.randperm(len(train))].tensor_split(n_minibatches):
            optimizer.zero_grad(set_to_none=True)
            value = loss(rows)
            if not torch.isfinite(value):
                raise RuntimeError(f"the loss is {float(value)} in epoch {epoch}: training diverged.")
            value.backward()
            torch.nn.utils.clip_grad_norm_(parameters, _MAX_GRADIENT_NORM)
            optimizer.step()
        network.eval()
        if validation is not None and len(validation):
            with torch.no_grad():
                validation_loss = float(loss(validation))
            best.offer(validation_loss, lambda: copy.deepcopy(network.state_dict()))
            if best.has_given_up:
                break
        if after_epoch is not None and after_epoch(epoch):
            break
    if best.state is not None:
        network.load_state_dict(best.state)
    network.eval()
    return epoch
