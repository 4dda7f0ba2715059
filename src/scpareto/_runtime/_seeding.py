"""Seeds: one per front and one child seed per point; the global generators of the caller stay unchanged."""

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
_N_SEEDS = 2**32
"""Seeds must be below this number, the limit of several libraries."""


def check_seed(seed: Any) -> int:
    """Return a seed as an integer.

    Raises
    ------
    ValueError
        If the seed is not a whole number from 0 to 2^32 - 1.
    """
    whole = isinstance(seed, numbers.Integral) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < _N_SEEDS:
        raise ValueError(f"seed={seed!r} must be a whole number from 0 to {_N_SEEDS - 1}.")
    return int(seed)


def resolve_seed(seed: int | None) -> int:
    """Return the seed of the user, else scvi-tools' ``scvi.settings.seed``, else 0."""
    return check_seed(next(s for s in (seed, settings.seed, _FALLBACK_SEED) if s is not None))


def child_seed(seed: int, index: int) -> int:
    """Return the seed of step ``index`` of a front; independent of the number of steps and of their order.

    Parameters
    ----------
    seed
        Seed of the front.
    index
        Number of the step, from 0.
    """
    return int(np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1)[0])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with PyTorch seeded, then restore its generators."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
