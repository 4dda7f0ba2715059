"""Protect the number of PyTorch threads from libraries that change it silently."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def keep_torch_threads() -> Iterator[None]:
    """Restore the number of PyTorch threads after the block.

    Parallel numba code, which scanpy and umap run, sets the number of threads of the OpenMP runtime that PyTorch
    shares. Small networks then get slower, many times so where other processes compete for the cores. Results are
    only reproducible with an equal number of threads.
    """
    n_threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
