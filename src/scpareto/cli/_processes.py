"""Start further processes that train together with this one, and watch them."""

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

_RANK_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Environment variables with the rank of a process, set by torchrun and schedulers, in the order of Lightning."""
_WAIT_FOR_OTHERS, _WAIT_FOR_SIGNAL = 10.0, 30.0
"""Seconds to wait until the other processes end, and until this process reacts to the failure of another one."""


def get_trainer_arguments(accelerator: str, devices: int, num_nodes: int, *, overwrite: bool) -> dict[str, Any]:
    """Return keyword arguments for the trainer; raise an error before the data are read if they cannot be used."""
    from scpareto._runtime import check_accelerator

    check_accelerator(accelerator, devices)
    if devices == num_nodes == 1:
        return {"accelerator": accelerator}
    if num_nodes > 1 and not _has_launcher():
        raise UsageError(
            f"--num-nodes {num_nodes}: start the command on every machine, with srun or torchrun, "
            f"{devices} process{'es' * (devices > 1)} on each."
        )
    if overwrite and _has_launcher():
        raise UsageError("--overwrite: processes that start together cannot agree on the folder. Remove it first.")
    return {"accelerator": accelerator, "devices": devices, "num_nodes": num_nodes, "strategy": "ddp"}


@contextmanager
def start_other_processes(n_processes: int) -> Iterator[None]:
    """Run this command in further processes that train with this one, unless a launcher has started them.

    Sets the environment variables by which Lightning recognises its processes. The processes end with this one. If one
    of them fails, this one is terminated by a signal, because it would wait for the failed process forever.
    """
    if n_processes == 1 or _has_launcher():
        yield
        return
    with socket.socket() as free_socket:
        free_socket.bind(("127.0.0.1", 0))
        port = free_socket.getsockname()[1]
    variables = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0", "WORLD_SIZE": str(n_processes)}
    environment = dict(os.environ)
    os.environ.update(variables | {"LOCAL_RANK": "0"})
    command = [sys.executable, "-m", "scpareto.cli", *sys.argv[1:]]
    others = [
        subprocess.Popen(command, env=os.environ | {"LOCAL_RANK": str(rank)}, stdin=subprocess.DEVNULL)
        for rank in range(1, n_processes)
    ]
    finished = threading.Event()
    threading.Thread(target=_watch_processes, args=(others, finished), daemon=True).start()
    try:
        yield
    except BaseException as error:
        failed = _find_failed(others)
        for process in others:
            process.kill()
        if failed is not None:
            raise RunFailedError(f"Process {failed} of those that train together was lost") from error
        raise
    finally:
        finished.set()
        for process in others:
            try:
                process.wait(_WAIT_FOR_OTHERS)
            except subprocess.TimeoutExpired:
                process.kill()
        os.environ.clear()
        os.environ.update(environment)


def _find_failed(others: list[subprocess.Popen[bytes]]) -> int | None:
    """Return the number of a failed process; None if all run."""
    return next((number for number, process in enumerate(others, 1) if process.poll()), None)


def _watch_processes(others: list[subprocess.Popen[bytes]], finished: threading.Event) -> None:
    """Terminate this process if another one has failed."""
    while not finished.wait(1.0):
        if (failed := _find_failed(others)) is not None:
            logger.error(
                "Process %d of those that train together ended with code %d.", failed, others[failed - 1].poll()
            )
            os.kill(os.getpid(), signal.SIGTERM)
            if not finished.wait(_WAIT_FOR_SIGNAL):  # it waits for the failed process and ignores the signal
                os.kill(os.getpid(), signal.SIGKILL)
            return


def _has_launcher() -> bool:
    return any(name in os.environ for name in _RANK_VARIABLES)
