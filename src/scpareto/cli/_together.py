"""Several processes that train together: who starts them, and what becomes of them."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scpareto.cli._run_folder import RunFailedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("scpareto")

_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables by which torchrun and schedulers tell a process which of several it is, in the order of Lightning."""
_LEAVE, _GIVE_UP = 10.0, 30.0
"""Seconds that the others have to end by themselves, and this process to notice that one of them is gone."""


def hardware_of(accelerator: str, devices: int, num_nodes: int, *, overwrite: bool) -> dict[str, Any]:
    """Keywords for the trainer, or a refusal before the data are read."""
    from scpareto._runtime import check_accelerator

    check_accelerator(accelerator, devices)
    if devices == num_nodes == 1:
        return {"accelerator": accelerator}
    if num_nodes > 1 and not _started_elsewhere():
        raise UsageError(
            f"--num-nodes {num_nodes}: start the command on every machine, with srun or torchrun, "
            f"{devices} process{'es' * (devices > 1)} on each."
        )
    if overwrite and _started_elsewhere():
        raise UsageError("--overwrite: processes that start together cannot agree on the folder. Remove it first.")
    return {"accelerator": accelerator, "devices": devices, "num_nodes": num_nodes, "strategy": "ddp"}


@contextmanager
def others_started(n_processes: int) -> Iterator[None]:
    """Run this command in further processes that train with this one, unless something else has started them.

    The environment is the one that Lightning knows its processes by. They end with this one; if one of them fails, this
    one is stopped as by a scheduler, since it would wait for the lost one for ever.
    """
    if n_processes == 1 or _started_elsewhere():
        yield
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0", "WORLD_SIZE": str(n_processes)}
    before = dict(os.environ)
    os.environ.update(shared | {"LOCAL_RANK": "0"})
    command = [sys.executable, "-m", "scpareto.cli", *sys.argv[1:]]
    others = [
        subprocess.Popen(command, env=os.environ | {"LOCAL_RANK": str(rank)}, stdin=subprocess.DEVNULL)
        for rank in range(1, n_processes)
    ]
    ended = threading.Event()
    threading.Thread(target=_watch, args=(others, ended), daemon=True).start()
    try:
        yield
    except BaseException as error:
        lost = _lost(others)
        for process in others:
            process.kill()
        if lost is not None:
            raise RunFailedError(f"Process {lost} of those that train together was lost") from error
        raise
    finally:
        ended.set()
        for process in others:
            try:
                process.wait(_LEAVE)
            except subprocess.TimeoutExpired:
                process.kill()
        os.environ.clear()
        os.environ.update(before)


def _lost(others: list[subprocess.Popen[bytes]]) -> int | None:
    """Return the number of a process that has failed."""
    return next((number for number, process in enumerate(others, 1) if process.poll()), None)


def _watch(others: list[subprocess.Popen[bytes]], ended: threading.Event) -> None:
    """Stop this process once another has failed."""
    while not ended.wait(1.0):
        if (lost := _lost(others)) is not None:
            logger.error("Process %d of those that train together ended with code %d.", lost, others[lost - 1].poll())
            os.kill(os.getpid(), signal.SIGTERM)
            if not ended.wait(_GIVE_UP):  # waits for the lost one, where no signal is heard
                os.kill(os.getpid(), signal.SIGKILL)
            return


def _started_elsewhere() -> bool:
    return any(name in os.environ for name in _RANKS)
