"""Seeds, threads, progress, files, interrupts, quiet libraries and distributed processes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scpareto._runtime._arguments import (
        check_accelerator,
        check_trainer_keywords,
        check_whole_number,
        choose_hardware,
    )
    from scpareto._runtime._best_state import BestState
    from scpareto._runtime._interrupts import Stopped, raise_interrupts, raise_on_signals
    from scpareto._runtime._processes import (
        average_array,
        average_tensor,
        average_tensors,
        broadcast_buffers,
        broadcast_from_first,
        compute_mean_gradient,
        computes_for_all,
        is_distributed,
        is_first_process,
    )
    from scpareto._runtime._progress import FrontProgress
    from scpareto._runtime._quiet import quiet_lightning
    from scpareto._runtime._seeding import check_seed, child_seed, resolve_seed, seeded
    from scpareto._runtime._threads import keep_torch_threads
    from scpareto._runtime._writing import (
        check_folder,
        replace_contents,
        write_atomically,
        write_folder_atomically,
        write_hdf5_atomically,
    )

__all__ = [
    "BestState",
    "FrontProgress",
    "Stopped",
    "average_array",
    "average_tensor",
    "average_tensors",
    "broadcast_buffers",
    "broadcast_from_first",
    "check_accelerator",
    "check_folder",
    "check_seed",
    "check_trainer_keywords",
    "check_whole_number",
    "child_seed",
    "choose_hardware",
    "compute_mean_gradient",
    "computes_for_all",
    "is_distributed",
    "is_first_process",
    "keep_torch_threads",
    "quiet_lightning",
    "raise_interrupts",
    "raise_on_signals",
    "replace_contents",
    "resolve_seed",
    "seeded",
    "write_atomically",
    "write_folder_atomically",
    "write_hdf5_atomically",
]

_FILES = {
    "_arguments": ("check_accelerator", "check_trainer_keywords", "check_whole_number", "choose_hardware"),
    "_best_state": ("BestState",),
    "_interrupts": ("Stopped", "raise_interrupts", "raise_on_signals"),
    "_processes": (
        "average_array",
        "average_tensor",
        "average_tensors",
        "broadcast_buffers",
        "broadcast_from_first",
        "compute_mean_gradient",
        "computes_for_all",
        "is_distributed",
        "is_first_process",
    ),
    "_progress": ("FrontProgress",),
    "_quiet": ("quiet_lightning",),
    "_seeding": ("check_seed", "child_seed", "resolve_seed", "seeded"),
    "_threads": ("keep_torch_threads",),
    "_writing": (
        "check_folder",
        "replace_contents",
        "write_atomically",
        "write_folder_atomically",
        "write_hdf5_atomically",
    ),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import on first use: the command line needs some of these names without importing PyTorch or scvi-tools."""
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
