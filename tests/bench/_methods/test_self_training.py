"""Self-training of clusters."""

from __future__ import annotations

import torch

from scpareto.bench._methods._self_training import SelfTraining


def test_self_training_stops_when_no_cell_moves_and_sharpens():
    torch.manual_seed(0)
    codes = torch.cat([torch.randn(30, 2), torch.randn(30, 2) + 8])
    clusters = SelfTraining(codes, 2, tolerance=0.01)
    assert clusters.refresh(codes)
    assert not clusters.refresh(-codes + 8)
    torch.testing.assert_close(clusters.targets.sum(1), torch.ones(60))
    given = SelfTraining(codes, labels=torch.arange(60) // 30)
    torch.testing.assert_close(given.centres.detach(), torch.stack([codes[:30].mean(0), codes[30:].mean(0)]))
    loss = given.loss(codes[:5].requires_grad_(), torch.arange(5))
    loss.backward()
    assert given.centres.grad.abs().sum() > 0
