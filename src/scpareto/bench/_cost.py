"""What a block of code costs: time, processor time and memory."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATM = Path("/proc/self/statm")
_INTERVAL = 0.02  # seconds


@dataclass
class Cost:
    """Seconds, seconds of the processor, and the largest growth of the resident memory in megabytes.

    Memory is NaN where the operating system does not say (other than Linux).
    """

    seconds: float = float("nan")
    cpu_seconds: float = float("nan")
    peak_mb: float = float("nan")


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure a block; memory is looked at 50 times a second."""
    cost = Cost()
    start = peak = _resident_mb()
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(_INTERVAL):
            peak = max(peak, _resident_mb())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    wall, processor = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        cost.seconds, cost.cpu_seconds = time.perf_counter() - wall, time.process_time() - processor
        over.set()
        watcher.join()
        cost.peak_mb = max(peak, _resident_mb()) - start


def _resident_mb() -> float:
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError):
        return float("nan")
