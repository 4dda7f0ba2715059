"""What every long computation needs: seeds, threads, progress, quiet libraries and several processes."""

from scpareto._runtime._best_state import BestState
from scpareto._runtime._interrupts import interrupts_raised
from scpareto._runtime._processes import (
    averaged,
    averaged_gradient,
    averaged_tensor,
    averaged_tensors,
    is_first_process,
    of_first_process,
    several,
    share_buffers,
)
from scpareto._runtime._progress import FrontProgress
from scpareto._runtime._quiet import quiet_lightning
from scpareto._runtime._seeding import child_seed, resolved_seed, seeded
from scpareto._runtime._threads import torch_threads_kept

__all__ = [
    "BestState",
    "FrontProgress",
    "averaged",
    "averaged_gradient",
    "averaged_tensor",
    "averaged_tensors",
    "child_seed",
    "interrupts_raised",
    "is_first_process",
    "of_first_process",
    "quiet_lightning",
    "resolved_seed",
    "seeded",
    "several",
    "share_buffers",
    "torch_threads_kept",
]
