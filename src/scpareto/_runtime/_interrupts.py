"""Ctrl-C, and the signals of schedulers, in the middle of a training."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

_OF_SCHEDULERS = ("SIGTERM", "SIGHUP", "SIGXCPU", "SIGUSR1", "SIGUSR2")
"""Signals by which terminals, clusters and their limits end a process."""


class Stopped(KeyboardInterrupt):
    """A signal ended the computation; what is finished is kept as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def signals_raised() -> Iterator[None]:
    """Raise :class:`Stopped` where a signal would end the process without a word; handlers of others stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for name in _OF_SCHEDULERS if (number := getattr(signal, name, None)) is not None]
    ours = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, frame: Any) -> NoReturn:
    raise Stopped(number)


@contextmanager
def interrupts_raised() -> Iterator[None]:
    """Raise the interruption where Lightning would end the process and leave interrupts ignored."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if in_main_thread else None
    try:
        with signals_raised():
            yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
    finally:
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)
