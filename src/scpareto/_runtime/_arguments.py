"""Check numbers, hardware and keywords of a training before it begins."""

from __future__ import annotations

import difflib
import inspect
import numbers
from typing import TYPE_CHECKING, Any

from lightning.pytorch.accelerators import Accelerator, AcceleratorRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def check_whole_number(name: str, value: Any, *, least: int = 1) -> int:
    """Return a number of epochs, cells or points as an integer.

    Parameters
    ----------
    name
        Name of the argument.
    value
        Value of the argument.
    least
        Smallest valid number.

    Raises
    ------
    ValueError
        If the value is not a whole number, or too small.
    """
    whole = isinstance(value, numbers.Real) and not isinstance(value, bool) and value == value // 1
    if not whole:
        raise ValueError(f"{name}={value!r} must be a whole number of at least {least}.")
    if value < least:
        raise ValueError(f"{name}={value} must be at least {least}.")
    return int(value)


def check_accelerator(accelerator: Any, devices: Any = "auto") -> None:
    """Refuse an accelerator or devices that this machine lacks.

    Parameters
    ----------
    accelerator, devices
        As for :class:`lightning.pytorch.Trainer`.

    Raises
    ------
    ValueError
        If the machine has no such accelerator, or fewer devices.
    """
    if isinstance(accelerator, Accelerator) or accelerator == "auto":
        return
    available = {name: kind for name in AcceleratorRegistry if (kind := _kind(name)).is_available()}
    gpus = [name for name in ("cuda", "mps") if name in available]
    if gpus:
        available["gpu"] = available[gpus[0]]
    if accelerator not in available:
        raise ValueError(
            f"accelerator={accelerator!r} is not there. Choose one of "
            f"{', '.join(map(repr, ['auto', *sorted(available)]))}."
        )
    n_devices = available[accelerator].auto_device_count()
    wanted = max(devices, default=-1) + 1 if isinstance(devices, list | tuple) else devices
    if accelerator != "cpu" and isinstance(wanted, int) and wanted > n_devices:
        raise ValueError(f"devices={devices!r}: accelerator={accelerator!r} has {n_devices} here.")


def choose_hardware(accelerator: Any, devices: Any) -> dict[str, Any]:
    """Return the hardware for Lightning's trainer, with the choices of scvi-tools for ``"auto"``.

    Parameters
    ----------
    accelerator, devices
        As for :class:`lightning.pytorch.Trainer`.

    Returns
    -------
    ``accelerator`` and ``devices``. ``"auto"`` means one device, where Lightning would take all, and never an Apple
    GPU, which lacks some operations and has to be asked for by name.
    """
    if accelerator == "auto" and _kind("mps").is_available():
        accelerator = "cpu"
    one_device = devices == "auto" or (devices == -1 and accelerator in ("auto", "cpu"))
    return {"accelerator": accelerator, "devices": 1 if one_device else devices}


def _kind(name: str) -> Any:
    return AcceleratorRegistry[name]["accelerator"]


def check_trainer_keywords(
    keywords: Mapping[str, Any], *, also: Sequence[str] = (), refused: Mapping[str, str] | None = None
) -> None:
    """Refuse keywords that the trainer does not take, before the training begins.

    Parameters
    ----------
    keywords
        Keywords for :class:`scvi.train.Trainer`.
    also
        Further keywords that the caller takes itself; an error lists them first.
    refused
        Trainer keywords that the caller sets itself, each with a sentence that names the alternative.

    Raises
    ------
    TypeError
        If a keyword is unknown or refused.
    """
    import lightning.pytorch as lightning
    from scvi.train import Trainer

    accepted = {name for cls in (Trainer, lightning.Trainer) for name in inspect.signature(cls.__init__).parameters}
    accepted -= {"self", "args", "kwargs", *(refused or ())}
    valid = [*also, *sorted(accepted - set(also))]
    for name, value in keywords.items():
        if refused and name in refused:
            raise TypeError(f"{name}={value!r}: {refused[name]}")
        if name not in valid:
            similar = difflib.get_close_matches(name, dict.fromkeys([*valid, "batch_size", "max_epochs"]), n=3)
            hint = f" Did you mean {' or '.join(similar)}?" if similar else ""
            choices = f"It takes {', '.join(also) or 'its own arguments'}, and what scvi.train.Trainer takes."
            raise TypeError(f"train() got an unexpected argument {name!r}.{hint} {choices}")
