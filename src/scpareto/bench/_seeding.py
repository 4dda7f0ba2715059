"""Seed the global random generators that libraries use, and restore them afterwards."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from scpareto._runtime import keep_torch_threads, seeded

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def seed_generators(seed: int) -> Iterator[None]:
    """Seed the generators of Python, NumPy and PyTorch for a block, then restore them.

    Parameters
    ----------
    seed
        Seed.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what libraries draw from
    try:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        with seeded(seed), keep_torch_threads():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
