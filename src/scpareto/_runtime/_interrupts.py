"""Handle Ctrl-C and the signals of schedulers during a training."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEDULER_SIGNALS = ("SIGTERM", "SIGHUP", "SIGXCPU", "SIGUSR1", "SIGUSR2")
"""Signals with which terminals and schedulers end a process."""


class Stopped(KeyboardInterrupt):
    """A signal ended the computation; finished results are kept, as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def raise_on_signals() -> Iterator[None]:
    """Raise :class:`Stopped` when a signal would end the process silently; handlers set by others stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for name in _SCHEDULER_SIGNALS if (number := getattr(signal, name, None)) is not None]
    unhandled = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in unhandled:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in unhandled:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, frame: Any) -> NoReturn:
    raise Stopped(number)


@contextmanager
def raise_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt where Lightning would end the process and leave further interrupts ignored."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if in_main_thread else None
    try:
        with raise_on_signals():
            yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
    finally:
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)
