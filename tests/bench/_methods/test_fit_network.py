"""The loop of the networks that are trained here: the best epoch, when it ends, what diverged."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from scpareto.bench._methods._fit_network import fit_network


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(()))


def squares(line, y):
    return lambda rows: (line.slope - y[rows]).square().mean()


def test_the_best_epoch_is_kept_and_training_stops():
    line, y = Line(), torch.cat([torch.full((8,), 10.0), torch.full((2,), 1.0)])
    optimizer = torch.optim.SGD(line.parameters(), lr=0.05)
    # Training draws the slope to 10, past the best for the validation rows, 1.
    epochs = fit_network(
        line, squares(line, y), optimizer, torch.arange(8), torch.arange(8, 10), max_epochs=50, patience=3
    )
    # The gradient is clipped at 10: two steps of 0.5 lead to 1, three more do not improve on it.
    assert epochs == 5
    assert float(line.slope) == pytest.approx(1.0)
    assert not line.training


def test_all_epochs_without_validation_cells_unless_ended():
    line, y = Line(), torch.full((9,), 3.0)
    optimizer = torch.optim.SGD(line.parameters(), lr=0.2)
    assert fit_network(line, squares(line, y), optimizer, torch.arange(9), max_epochs=30, batch_size=4) == 30
    assert float(line.slope) == pytest.approx(3.0, abs=1e-4)
    ended = fit_network(
        line, squares(line, y), optimizer, torch.arange(9), max_epochs=30, after_epoch=lambda epoch: epoch == 5
    )
    assert ended == 5


def test_a_loss_that_is_not_finite_says_so():
    line = Line()
    with pytest.raises(RuntimeError, match="the loss is nan in epoch 1"):
        fit_network(
            line,
            lambda rows: line.slope * float("nan"),
            torch.optim.SGD(line.parameters(), lr=1),
            torch.arange(4),
            max_epochs=2,
        )
