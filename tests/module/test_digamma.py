from __future__ import annotations

import numpy as np
import pytest
import torch

from scpareto.module._digamma import digamma


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-6)])
def test_digamma_is_that_of_pytorch(dtype, tolerance):
    y = torch.logspace(-6, 8, 2001, dtype=dtype)
    expected = torch.digamma(y.double())
    assert ((digamma(y).double() - expected).abs() / (1 + expected.abs())).max() < tolerance
    assert digamma(y).dtype == dtype


def test_digamma_has_its_known_values_and_leaves_its_argument():
    y = torch.tensor([[1.0, 2.0], [0.5, 10.0]], dtype=torch.float64)
    kept = y.clone()
    # Euler's constant.
    expected = [[-np.euler_gamma, 1 - np.euler_gamma], [-np.euler_gamma - 2 * np.log(2), 2.2517525890667214]]
    np.testing.assert_allclose(digamma(y), expected, atol=1e-10)
    assert torch.equal(y, kept)
