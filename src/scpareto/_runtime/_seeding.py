"""One seed per front, one child per point, and the caller's generators left as they were."""

from __future__ import annotations

import numbers
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scvi import settings

if TYPE_CHECKING:
    from collections.abc import Iterator


_FALLBACK_SEED = 0
_SEEDS = 2**32
"""Seeds are below this number: several libraries, some of them asked long after a training, take no larger one."""


def checked_seed(seed: Any) -> int:
    """Return a seed as an integer.

    Raises
    ------
    ValueError
        If it is no whole number from 0 to 2^32 - 1.
    """
    whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < _SEEDS:
        raise ValueError(f"seed={seed!r} must be a whole number from 0 to {_SEEDS - 1}.")
    return int(seed)


def resolved_seed(seed: int | None) -> int:
    """Seed that the user gave, or else scvi-tools' ``scvi.settings.seed``, or 0."""
    return checked_seed(next(s for s in (seed, settings.seed, _FALLBACK_SEED) if s is not None))


def child_seed(seed: int, index: int) -> int:
    """Seed of part ``index`` of a front; independent of how many parts there are and of their order.

    Parameters
    ----------
    seed
        Seed of the front.
    index
        Number of the part, from 0.
    """
    return int(np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1)[0])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with PyTorch seeded, then put its generators back."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
