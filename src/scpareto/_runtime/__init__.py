"""What every long computation needs: seeds, threads, progress, quiet libraries and several processes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scpareto._runtime._arguments import check_accelerator, check_trainer_keywords, hardware, whole_number
    from scpareto._runtime._best_state import BestState
    from scpareto._runtime._interrupts import Stopped, interrupts_raised, signals_raised
    from scpareto._runtime._processes import (
        averaged,
        averaged_gradient,
        averaged_tensor,
        averaged_tensors,
        computes_for_all,
        is_first_process,
        of_first_process,
        several,
        share_buffers,
    )
    from scpareto._runtime._progress import FrontProgress
    from scpareto._runtime._quiet import quiet_lightning
    from scpareto._runtime._seeding import checked_seed, child_seed, resolved_seed, seeded
    from scpareto._runtime._threads import torch_threads_kept
    from scpareto._runtime._writing import (
        check_folder,
        folder_written_whole,
        hdf5_written_whole,
        put_in_place,
        written_whole,
    )

__all__ = [
    "BestState",
    "FrontProgress",
    "Stopped",
    "averaged",
    "averaged_gradient",
    "averaged_tensor",
    "averaged_tensors",
    "check_accelerator",
    "check_folder",
    "check_trainer_keywords",
    "checked_seed",
    "child_seed",
    "computes_for_all",
    "folder_written_whole",
    "hardware",
    "hdf5_written_whole",
    "interrupts_raised",
    "is_first_process",
    "of_first_process",
    "put_in_place",
    "quiet_lightning",
    "resolved_seed",
    "seeded",
    "several",
    "share_buffers",
    "signals_raised",
    "torch_threads_kept",
    "whole_number",
    "written_whole",
]

_FILES = {
    "_arguments": ("check_accelerator", "check_trainer_keywords", "hardware", "whole_number"),
    "_best_state": ("BestState",),
    "_interrupts": ("Stopped", "interrupts_raised", "signals_raised"),
    "_processes": (
        "averaged",
        "averaged_gradient",
        "averaged_tensor",
        "averaged_tensors",
        "computes_for_all",
        "is_first_process",
        "of_first_process",
        "several",
        "share_buffers",
    ),
    "_progress": ("FrontProgress",),
    "_quiet": ("quiet_lightning",),
    "_seeding": ("checked_seed", "child_seed", "resolved_seed", "seeded"),
    "_threads": ("torch_threads_kept",),
    "_writing": ("check_folder", "folder_written_whole", "hdf5_written_whole", "put_in_place", "written_whole"),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import late: the command line needs some of these names and neither PyTorch nor scvi-tools."""
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
