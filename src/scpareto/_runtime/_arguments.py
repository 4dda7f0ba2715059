"""Numbers and keywords that a user gives to a training, checked before it begins."""

from __future__ import annotations

import difflib
import inspect
import numbers
from typing import TYPE_CHECKING, Any

from lightning.pytorch.accelerators import Accelerator, AcceleratorRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def whole_number(name: str, value: Any, *, least: int = 1) -> int:
    """Return a number of epochs, cells or points as an integer.

    Parameters
    ----------
    name
        Name of the argument.
    value
        What was given.
    least
        Smallest number that makes sense.

    Raises
    ------
    ValueError
        If it is no whole number, or too small.
    """
    whole = isinstance(value, numbers.Real) and not isinstance(value, bool) and value == value // 1
    if not whole:
        raise ValueError(f"{name}={value!r} must be a whole number of at least {least}.")
    if value < least:
        raise ValueError(f"{name}={value} must be at least {least}.")
    return int(value)


def check_accelerator(accelerator: Any, devices: Any = "auto") -> None:
    """Refuse hardware that is not there.

    Parameters
    ----------
    accelerator, devices
        As for :class:`lightning.pytorch.Trainer`.

    Raises
    ------
    ValueError
        If there is no such accelerator, or it has fewer devices.
    """
    if isinstance(accelerator, Accelerator) or accelerator == "auto":
        return
    there = {name: kind for name in AcceleratorRegistry if (kind := _kind(name)).is_available()}
    gpus = [name for name in ("cuda", "mps") if name in there]
    if gpus:
        there["gpu"] = there[gpus[0]]
    if accelerator not in there:
        raise ValueError(
            f"accelerator={accelerator!r} is not there. Choose one of {', '.join(map(repr, ['auto', *sorted(there)]))}."
        )
    n_devices = there[accelerator].auto_device_count()
    wanted = max(devices, default=-1) + 1 if isinstance(devices, list | tuple) else devices
    if accelerator != "cpu" and isinstance(wanted, int) and wanted > n_devices:
        raise ValueError(f"devices={devices!r}: accelerator={accelerator!r} has {n_devices} here.")


def hardware(accelerator: Any, devices: Any) -> dict[str, Any]:
    """Hardware in the words of Lightning, with the choices of scvi-tools where the user leaves it open.

    Parameters
    ----------
    accelerator, devices
        As for :class:`lightning.pytorch.Trainer`.

    Returns
    -------
    ``accelerator`` and ``devices``. ``"auto"`` is one device, where Lightning would take all of them, and no Apple GPU,
    which lacks some operations and has to be named.
    """
    if accelerator == "auto" and _kind("mps").is_available():
        accelerator = "cpu"
    alone = devices == "auto" or (devices == -1 and accelerator in ("auto", "cpu"))
    return {"accelerator": accelerator, "devices": 1 if alone else devices}


def _kind(name: str) -> Any:
    return AcceleratorRegistry[name]["accelerator"]


def check_trainer_keywords(
    given: Mapping[str, Any], *, own: Sequence[str] = (), refused: Mapping[str, str] | None = None
) -> None:
    """Refuse keywords that no trainer takes, which would be found in the middle of a training.

    Parameters
    ----------
    given
        Keywords for :class:`scvi.train.Trainer`.
    own
        Further ones that the caller's own signature has or reads; an error lists them first.
    refused
        Keywords that a trainer takes but the caller sets, with the sentence that says what to give instead.

    Raises
    ------
    TypeError
        If a keyword is unknown or refused.
    """
    import lightning.pytorch as lightning
    from scvi.train import Trainer

    taken = {name for cls in (Trainer, lightning.Trainer) for name in inspect.signature(cls.__init__).parameters}
    taken -= {"self", "args", "kwargs", *(refused or ())}
    known = [*own, *sorted(taken - set(own))]
    for name, value in given.items():
        if refused and name in refused:
            raise TypeError(f"{name}={value!r}: {refused[name]}")
        if name not in known:
            alike = difflib.get_close_matches(name, dict.fromkeys([*known, "batch_size", "max_epochs"]), n=3)
            meant = f" Did you mean {' or '.join(alike)}?" if alike else ""
            valid = f"It takes {', '.join(own) or 'its own arguments'}, and what scvi.train.Trainer takes."
            raise TypeError(f"train() got an unexpected argument {name!r}.{meant} {valid}")
