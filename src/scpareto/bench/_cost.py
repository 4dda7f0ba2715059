"""Measure the cost of a block of code: time, processor time and memory."""

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
_SAMPLING_INTERVAL = 0.02  # seconds


@dataclass
class Cost:
    """Seconds, processor seconds, and the largest growth of the resident memory in megabytes.

    Memory is NaN on operating systems other than Linux.
    """

    seconds: float = float("nan")
    cpu_seconds: float = float("nan")
    peak_mb: float = float("nan")


@contextmanager
def measure_cost() -> Iterator[Cost]:
    """Measure a block; memory is sampled 50 times a second."""
    cost = Cost()
    memory_start = memory_peak = _resident_mb()
    stop = threading.Event()

    def sample_memory() -> None:
        nonlocal memory_peak
        while not stop.wait(_SAMPLING_INTERVAL):
            memory_peak = max(memory_peak, _resident_mb())

    thread = threading.Thread(target=sample_memory, daemon=True)
    thread.start()
    wall_start, cpu_start = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        cost.seconds, cost.cpu_seconds = time.perf_counter() - wall_start, time.process_time() - cpu_start
        stop.set()
        thread.join()
        cost.peak_mb = max(memory_peak, _resident_mb()) - memory_start


def _resident_mb() -> float:
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError):
        return float("nan")
