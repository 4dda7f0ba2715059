"""SAUCIE's losses: by hand, and what they do not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scpareto.bench._methods._saucie._training import compute_discrepancy, compute_reconstruction_error


def test_discrepancy_of_two_batches_by_hand():
    codes = torch.tensor([[0.0, 0.0], [0.0, 1.0], [2.0, 0.0], [2.0, 1.0]])
    batch = torch.tensor([0, 0, 1, 1])
    scales = [10.0**e for e in range(-6, 1)] + [5, 10, 15, 20, 25, 30, 35, 100] + [10.0**e for e in range(3, 7)]
    assert len(scales) == 19

    def kernel(i, j):
        squared = (codes[i] - codes[j]).square().sum() / 5
        return np.mean([np.exp(-float(squared) / (2 * v)) for v in scales])

    def mean(rows, columns):
        return np.mean([kernel(i, j) for i in rows for j in columns])

    by_hand = mean([0, 1], [0, 1]) + mean([2, 3], [2, 3]) - 2 * mean([0, 1], [2, 3])
    assert float(compute_discrepancy(codes, batch, 2)) == pytest.approx(by_hand, rel=1e-5)


def test_discrepancy_ignores_scale_and_lonely_batches_and_grows_with_a_shift():
    torch.manual_seed(0)
    codes, batch = torch.randn(300, 2), torch.arange(300) % 3
    values = [float(compute_discrepancy(codes + shift * (batch == 0)[:, None], batch, 3)) for shift in (0.0, 1.0, 3.0)]
    assert values[0] < values[1] < values[2]
    assert float(compute_discrepancy(10 * codes, batch, 3)) == pytest.approx(values[0], rel=1e-4)
    lonely = codes[:10].requires_grad_()
    alone = compute_discrepancy(lonely, torch.zeros(10, dtype=torch.long), 3)
    alone.backward()
    assert float(alone) == 0
    assert torch.isfinite(lonely.grad).all()


def test_reconstruction_of_other_batches_is_free_of_shift_and_scale():
    torch.manual_seed(0)
    x, batch = torch.randn(20, 5), torch.arange(20) % 2
    changed = torch.where((batch == 1)[:, None], 3 * x + 7, x)
    assert float(compute_reconstruction_error(changed, x, batch, reference=0)) == pytest.approx(0, abs=1e-6)
    assert float(compute_reconstruction_error(changed, x, batch, reference=1)) > 1
