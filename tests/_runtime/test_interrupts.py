"""Signals of schedulers end a computation as Ctrl-C does."""

from __future__ import annotations

import os
import signal
import time

import pytest

from scpareto._runtime import Stopped, raise_interrupts, raise_on_signals


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGXCPU", "SIGUSR1", "SIGUSR2"])
def test_signals_are_raised_and_handlers_put_back(name):
    number = getattr(signal, name)
    # `nohup` ignores SIGHUP, and what is ignored stays so.
    inherited = signal.signal(number, signal.SIG_DFL)
    try:
        with pytest.raises(Stopped, match=name) as caught, raise_on_signals(), raise_on_signals():  # noqa: PT012
            # To this thread: another one of the process would not end a wait of this one.
            signal.raise_signal(number)
            time.sleep(5)
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, inherited)
    assert caught.value.number == number
    assert isinstance(caught.value, KeyboardInterrupt)


def test_handlers_of_others_stay():
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *args: seen.append(args[0]))
    try:
        with raise_on_signals():
            signal.raise_signal(signal.SIGUSR1)
        assert seen == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_an_exit_that_hides_an_interruption_is_undone():
    with pytest.raises(Stopped, match="SIGTERM"), raise_interrupts():  # noqa: PT012
        try:
            raise Stopped(signal.SIGTERM)
        except KeyboardInterrupt:
            raise SystemExit(1)  # noqa: B904 - as Lightning does
    with pytest.raises(SystemExit), raise_interrupts():
        raise SystemExit(1)
