"""Train the points of a front on a Ray cluster."""

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
"""Names of executors, besides this process, that can train points."""
_RETRIES = 3


class RayExecutor:
    """Run a function for each of several items in the workers of a Ray cluster.

    This process connects to the cluster if it is not connected. Each worker receives the shared arguments once and uses
    as many threads as this process, so that results on CPUs are identical. An item whose worker dies is run again.

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
            Function to call in the workers.
        shared
            First arguments of the function, sent once and read only.
        items
            Items to call it for.
        take
            Called here with each item and its result, or with the error if it diverged, in order of completion.
        progress
            Shows how many items are done.
        """
        # Ray would replace Python's print by one that numba, and with it UMAP, cannot compile.
        os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")
        import ray

        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False)
        threads = torch.get_num_threads()
        options: Any = {"num_cpus": threads, "max_retries": _RETRIES} | self.options
        work = ray.remote(**options)(_in_worker)
        reference = ray.put((function, shared))
        pending = {work.remote(reference, item, threads): item for item in items}
        try:
            while pending:
                progress.say(f"on Ray: {len(items) - len(pending)} of {len(items)} done")
                (done,), _ = ray.wait(list(pending), num_returns=1)
                take(pending.pop(done), ray.get(done))
        finally:
            for unfinished in pending:
                ray.cancel(unfinished, force=True)


def _in_worker(reference: tuple[Callable[..., Any], tuple[Any, ...]], item: Any, threads: int) -> Any:
    """Run the function for one item; return its result, or the error if it diverged."""
    # Ray passes read-only arrays without copying; they are only read here.
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    function, shared = reference
    torch.set_num_threads(threads)
    with FrontProgress(1, show=False) as progress:
        return catch_divergence(function, *shared, item, progress)


def catch_divergence(function: Callable[..., T], *arguments: Any) -> T | TrainingDiverged:
    """Call a function; return its result, or the error if its training diverged."""
    try:
        return function(*arguments)
    except TrainingDiverged as error:
        return error


def is_on_gpu(accelerator: str) -> bool:
    """Whether Lightning's name of an accelerator means a GPU on this machine."""
    return accelerator in ("gpu", "cuda") or (accelerator == "auto" and torch.cuda.is_available())
