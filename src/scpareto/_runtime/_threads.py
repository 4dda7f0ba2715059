"""The number of PyTorch threads, which other libraries change without saying so."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def torch_threads_kept() -> Iterator[None]:
    """Put the number of PyTorch threads back after the block.

    Parallel numba code, which scanpy and umap run, sets the number of threads of the OpenMP runtime that PyTorch
    shares. Small networks then get slower, many times so where other processes compete for the cores, and results are
    only reproducible for an equal number of threads.
    """
    n_threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)
