"""Train the points of a front on a Ray cluster."""

from __future__ import annotations

import copy
import os
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from scpareto._runtime import FrontProgress
from scpareto.front._store import PartStore
from scpareto.train._plan import TrainingDiverged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scpareto.front._engine import FrontEngine

EXECUTORS = ("ray",)
"""Places besides this process where points can be trained."""
_RETRIES = 3


class RayExecutor:
    """Trains points in the workers of a Ray cluster, to which this process is connected or connects.

    A worker gets the data and the shared start once and trains as this process would, with as many threads, so that on
    CPUs the results are the same to the last bit. A point whose worker dies is trained again.

    Parameters
    ----------
    **options
        Resources of a point, as for :func:`ray.remote`, e.g. ``num_cpus`` or ``num_gpus``; by default as many CPUs as
        this process has threads, and a GPU where the front is trained on GPUs.

    Raises
    ------
    ImportError
        If Ray is not installed.
    """

    def __init__(self, **options: Any) -> None:
        if find_spec("ray") is None:
            raise ImportError("executor='ray' needs Ray: pip install 'scpareto[ray]'.")
        self.options = options

    def train(
        self,
        engine: FrontEngine,
        how: str,
        numbers: Sequence[int],
        start: dict[str, Any],
        *arguments: Any,
        progress: FrontProgress,
    ) -> dict[int, TrainingDiverged]:
        """Train points at the same time, and put what is kept of each into the engine's store.

        Parameters
        ----------
        engine
            Knows what a point is.
        how
            Its method that trains one, called with a number, the start and further arguments.
        numbers
            What the method is called with.
        start
            The shared start.
        *arguments
            Further arguments.
        progress
            Told how many points are done.

        Returns
        -------
        Errors of the points that diverged.
        """
        # Ray would put another print in the place of Python's, which numba, and with it UMAP, cannot compile.
        os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")
        import ray

        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False)
        threads = torch.get_num_threads()
        options = {"num_cpus": threads, "num_gpus": float(_on_gpu(engine)), "max_retries": _RETRIES} | self.options
        work = ray.remote(**options)(_train_elsewhere)
        shared = ray.put((_for_worker(engine), start, arguments))
        left = {work.remote(shared, how, number, threads): number for number in numbers}
        diverged = {}
        try:
            while left:
                progress.say(f"on Ray: {len(numbers) - len(left)} of {len(numbers)} done")
                (done,), _ = ray.wait(list(left), num_returns=1)
                number = left.pop(done)
                found = ray.get(done)
                if isinstance(found, TrainingDiverged):
                    diverged[number] = found
                for name, part in () if isinstance(found, TrainingDiverged) else found.items():
                    engine.store.put(name, part)
        finally:
            for unfinished in left:
                ray.cancel(unfinished, force=True)
        return diverged


def _for_worker(engine: FrontEngine) -> FrontEngine:
    """Twin that keeps its results to itself and draws no bar."""
    twin = copy.copy(engine)
    twin.store, twin.show_progress, twin.executor = PartStore({}), False, None
    return twin


def _train_elsewhere(
    shared: tuple[FrontEngine, dict[str, Any], tuple[Any, ...]], how: str, number: int, threads: int
) -> dict[str, Any] | TrainingDiverged:
    """Train one point in a worker; return parts by name, or the error of one that diverged."""
    # What Ray hands over without copying is for reading only, and is only read.
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    engine, start, arguments = shared
    torch.set_num_threads(threads)
    with FrontProgress(1, show=False) as progress:
        try:
            getattr(engine, how)(number, start, *arguments, progress)
        except TrainingDiverged as error:
            return error
    return engine.store.parts


def _on_gpu(engine: FrontEngine) -> bool:
    """Whether points are trained on a GPU."""
    wanted = str(engine.spec.trainer_kwargs.get("accelerator"))
    return wanted in ("gpu", "cuda") or (wanted == "auto" and torch.cuda.is_available())
