"""One seed per front, one child per point, and the caller's generators left as they were."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from scvi import settings

if TYPE_CHECKING:
    from collections.abc import Iterator


_FALLBACK_SEED = 0


def resolved_seed(seed: int | None) -> int:
    """Seed that the user gave, or else scvi-tools' ``scvi.settings.seed``, or 0."""
    return int(next(s for s in (seed, settings.seed, _FALLBACK_SEED) if s is not None))


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
