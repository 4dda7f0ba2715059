"""Flushing of denormal floating-point numbers, which are slow."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def flush_denormals() -> Iterator[None]:
    """Treat denormal numbers as zero on the CPU inside the block.

    Once a critic separates the labels, the gradient of a log-mean-exponential has nearly zero weight for most pairs of
    code and label. Arithmetic on such denormal numbers is tens of times slower than on normal ones and does not matter.

    Examples
    --------
    >>> import torch
    >>> from scpareto.objectives import flush_denormals
    >>> with flush_denormals():
    ...     bool(torch.tensor(1e-39) * 1.0 == 0.0)
    True
    """
    was_flushing = float(torch.tensor(1e-39) * 1.0) == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(was_flushing)
