from __future__ import annotations

import pytest
import torch
from torch import nn

from scpareto.objectives import CodeStandardizer, Critic


def linears(critic):
    return [layer for layer in critic.layers if isinstance(layer, nn.Linear)]


def test_published_critic_starts_constant():
    torch.manual_seed(0)
    critic = Critic(12, 1, n_hidden=128, n_layers=10, init="normal").requires_grad_(False)
    assert [layer.out_features for layer in linears(critic)] == [128] * 10 + [1]
    assert sum(isinstance(layer, nn.ELU) for layer in critic.layers) == 10
    for layer in linears(critic):
        assert not layer.bias.any()
    weights = torch.cat([layer.weight.flatten() for layer in linears(critic)])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.02)
    output = critic(10 * torch.randn(1000, 12))
    assert float(output.std()) < 1e-6
    assert float(output.abs().max()) < 1e-5


def test_default_critic_does_not():
    torch.manual_seed(0)
    critic = Critic(12, 3).requires_grad_(False)
    output = critic(torch.randn(1000, 12))
    assert output.shape == (1000, 3)
    assert float(output.std(0).min()) > 1e-3
    assert all(layer.bias.any() for layer in linears(critic))


def test_unknown_init_is_refused():
    with pytest.raises(ValueError, match="init='xavier'.*default, normal"):
        Critic(2, 1, init="xavier")


def test_first_updates_average_plainly():
    standardizer = CodeStandardizer(2, momentum=0.05)
    batches = [torch.randn(50, 2) * 3 + i for i in range(4)]
    for batch in batches:
        standardizer.update(batch)
    torch.testing.assert_close(standardizer.mean, torch.stack([b.mean(0) for b in batches]).mean(0))
    torch.testing.assert_close(standardizer.variance, torch.stack([b.var(0) for b in batches]).mean(0))


def test_later_updates_forget_exponentially():
    standardizer = CodeStandardizer(1, momentum=0.25)
    for _ in range(4):
        standardizer.update(torch.tensor([[-1.0], [1.0]]))
    standardizer.update(torch.tensor([[3.0], [5.0]]))
    standardizer.update(torch.tensor([[3.0], [5.0]]))
    assert float(standardizer.mean) == pytest.approx(4 * (1 - 0.75**2))
    assert float(standardizer.variance) == pytest.approx(2.0)


def test_standardised_codes_have_unit_moments_whatever_their_scale():
    torch.manual_seed(0)
    codes = torch.randn(500, 3) * torch.tensor([1e-2, 1.0, 1e3]) + torch.tensor([5.0, -2.0, 1e4])
    standardizer = CodeStandardizer(3)
    standardizer.update(codes)
    standardised = standardizer(codes)
    torch.testing.assert_close(standardised.mean(0), torch.zeros(3), rtol=0, atol=1e-3)
    torch.testing.assert_close(standardised.std(0), torch.ones(3), rtol=1e-2, atol=0)


def test_gradient_flows_through_the_codes_only():
    standardizer = CodeStandardizer(1)
    codes = torch.tensor([[1.0], [3.0]], requires_grad=True)
    standardizer.update(codes)
    assert not standardizer.mean.requires_grad
    standardizer(codes).sum().backward()
    torch.testing.assert_close(codes.grad, torch.full((2, 1), 2.0**-0.5))


def test_one_cell_does_not_move_the_moments():
    standardizer = CodeStandardizer(2)
    standardizer.update(torch.full((1, 2), 100.0))
    assert int(standardizer.n_updates) == 0
    assert standardizer.mean.tolist() == [0, 0]
    assert standardizer.variance.tolist() == [1, 1]
