from __future__ import annotations

import pytest
import torch

from scpareto._runtime._threads import keep_torch_threads


def test_the_number_of_threads_comes_back():
    before = torch.get_num_threads()
    try:
        for n_threads in (1, 2):
            torch.set_num_threads(n_threads)
            with keep_torch_threads():
                torch.set_num_threads(3)
            assert torch.get_num_threads() == n_threads
            with pytest.raises(ZeroDivisionError), keep_torch_threads():
                torch.set_num_threads(3) or 1 / 0
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
