"""Work for the points of a front on a Ray cluster."""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from scpareto._runtime import FrontProgress
from scpareto.train import TrainingDiverged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

EXECUTORS = ("ray",)
"""Places besides this process where points can be trained."""
_RETRIES = 3


class RayExecutor:
    """Runs a function for each of several items in the workers of a Ray cluster.

    This process is connected to the cluster, or connects. A worker gets what all items share once and works as this
    process would, with as many threads, so that on CPUs the results are the same to the last bit. An item whose worker
    dies is done again.

    Parameters
    ----------
    on_gpu
        Whether an item needs a GPU unless the options say otherwise.
    **options
        Resources of an item, as for :func:`ray.remote`, e.g. ``num_cpus`` or ``num_gpus``; by default as many CPUs as
        this process has threads.

    Raises
    ------
    ImportError
        If Ray is not installed.
    """

    def __init__(self, *, on_gpu: bool = False, **options: Any) -> None:
        if find_spec("ray") is None:
            raise ImportError("executor='ray' needs Ray: pip install 'scpareto[ray]'.")
        self.options = {"num_gpus": float(on_gpu)} | options

    def map(
        self,
        function: Callable[..., Any],
        shared: tuple[Any, ...],
        items: Sequence[T],
        take: Callable[[T, Any], None],
        progress: FrontProgress,
    ) -> None:
        """Call ``function(*shared, item, progress)`` for all items at the same time.

        Parameters
        ----------
        function
            What is called in the workers.
        shared
            Its first arguments, which travel once and are only read.
        items
            What it is called for.
        take
            Called here with each item and its result, or the error of one that diverged, as they come.
        progress
            Told how many items are done.
        """
        # Ray would put another print in the place of Python's, which numba, and with it UMAP, cannot compile.
        os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")
        import ray

        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False)
        threads = torch.get_num_threads()
        options: Any = {"num_cpus": threads, "max_retries": _RETRIES} | self.options
        work = ray.remote(**options)(_in_worker)
        there = ray.put((function, shared))
        left = {work.remote(there, item, threads): item for item in items}
        try:
            while left:
                progress.say(f"on Ray: {len(items) - len(left)} of {len(items)} done")
                (done,), _ = ray.wait(list(left), num_returns=1)
                take(left.pop(done), ray.get(done))
        finally:
            for unfinished in left:
                ray.cancel(unfinished, force=True)


def _in_worker(there: tuple[Callable[..., Any], tuple[Any, ...]], item: Any, threads: int) -> Any:
    """Do one item; return its result, or the error of one that diverged."""
    # What Ray hands over without copying is for reading only, and is only read.
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    function, shared = there
    torch.set_num_threads(threads)
    with FrontProgress(1, show=False) as progress:
        return catch_divergence(function, *shared, item, progress)


def catch_divergence(function: Callable[..., T], *arguments: Any) -> T | TrainingDiverged:
    """Call a function; return its result, or the error of a training that diverged."""
    try:
        return function(*arguments)
    except TrainingDiverged as error:
        return error


def is_on_gpu(accelerator: str) -> bool:
    """Whether an accelerator, in Lightning's words, is a GPU here."""
    return accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
