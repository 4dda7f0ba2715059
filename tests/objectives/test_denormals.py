from __future__ import annotations

import pytest
import torch

from scpareto.objectives import flush_denormals


def flushed():
    return float(torch.tensor(1e-39) * 1.0) == 0.0


def test_denormals_are_zero_inside_only():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot")
    torch.set_flush_denormal(False)
    assert not flushed()
    with flush_denormals():
        assert flushed()
        with flush_denormals():
            assert flushed()
        assert flushed(), "nesting leaves the outer block alone"
    assert not flushed()
    with pytest.raises(ZeroDivisionError), flush_denormals():
        1 / 0  # noqa: B018
    assert not flushed()


def test_a_caller_who_flushes_goes_on_flushing():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot")
    try:
        with flush_denormals():
            pass
        assert flushed()
    finally:
        torch.set_flush_denormal(False)
