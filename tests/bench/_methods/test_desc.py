"""The network of DESC."""

from __future__ import annotations

import torch

from scpareto.bench._methods._desc._network import StackedAutoencoder, get_published_widths


def test_stacked_layers_end_in_the_hyperbolic_tangent():
    torch.manual_seed(0)
    network = StackedAutoencoder(20, (8, 3))
    codes, output = network.encode(10 * torch.randn(50, 20)), network(10 * torch.randn(50, 20))
    assert codes.shape == (50, 3)
    assert output.shape == (50, 20)
    assert codes.min() < 0 < codes.max()
    assert max(codes.abs().max(), output.abs().max()) <= 1


def test_published_widths_by_the_number_of_cells():
    assert [get_published_widths(n) for n in (100, 501, 2001, 20_001)] == [(16,), (64,), (128,), (128, 32)]
