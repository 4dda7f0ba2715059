"""Store finished results of a front, in memory and optionally on disk."""

from __future__ import annotations

import json
import logging
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from scpareto._runtime import broadcast_from_first, check_folder, is_first_process, write_atomically

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

logger = logging.getLogger("scpareto")

_SETTINGS, _SUFFIX, _NOTED_KEY, _NAME_KEY = "settings.json", ".pt", "noted", "stored_as"
_MAX_SHOWN, _MAX_LENGTH = 6, 60


class ResultStore:
    """Results of finished trainings by name; each is written completely or not at all.

    In a distributed training only the first process writes. All processes read the files that existed when they began,
    but no later ones: a process that read a newer file would skip a broadcast in which the first process waits for it.

    Parameters
    ----------
    settings
        All settings that determine the results, as plain types. A folder of a run with other settings is refused.
    folder
        Folder of the files; None keeps results in memory only.
    noted
        Settings that change results by rounding only, such as threads and versions of libraries. A difference gives a
        warning.

    Raises
    ------
    ValueError
        If the folder belongs to a run with other settings, or its settings are missing; the message names the
        differences.

    Warns
    -----
    UserWarning
        If a noted setting differs.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        folder: str | os.PathLike[str] | None = None,
        *,
        noted: Mapping[str, Any] | None = None,
    ) -> None:
        self._results: dict[str, dict[str, Any]] = {}
        self._stored: set[str] = set()
        self._folder = None if folder is None else Path(folder)
        if self._folder is None:
            return
        check_folder("checkpoint_dir", self._folder)
        # Through JSON and back, to compare in the form in which settings are written.
        current, current_noted = json.loads(json.dumps([settings, noted or {}], sort_keys=True))
        path = self._folder / _SETTINGS
        stored = sorted(file.stem for file in self._folder.glob(f"*{_SUFFIX}"))
        if path.exists():
            try:
                begun = json.loads(path.read_text())
                noted_before = dict(begun.pop(_NOTED_KEY, {}))
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"{path} is damaged ({error}), so that nobody knows which run the folder is of. Use another "
                    "folder, or empty this one."
                ) from error
            if changed := list(_differences(begun, current)):
                more = f"; and {len(changed) - _MAX_SHOWN} more" if len(changed) > _MAX_SHOWN else ""
                raise ValueError(
                    f"{self._folder} holds points of a run with other settings "
                    f"({'; '.join(changed[:_MAX_SHOWN])}{more}). Use those settings, or another folder."
                )
            if others := sorted(
                k for k in noted_before.keys() & current_noted.keys() if noted_before[k] != current_noted[k]
            ):
                differences = "; ".join(f"{k} was {noted_before[k]!r}, now {current_noted[k]!r}" for k in others)
                warnings.warn(
                    f"{self._folder} was begun elsewhere ({differences}): what is trained now may differ by rounding.",
                    UserWarning,
                    stacklevel=5,
                )
        elif stored and is_first_process():
            raise ValueError(
                f"{self._folder} holds {', '.join(stored)}{_SUFFIX} without {_SETTINGS}, so that nobody knows which "
                "run they are of. Use another folder, or empty this one."
            )
        elif is_first_process():
            text = json.dumps(current | {_NOTED_KEY: current_noted}, indent=2, sort_keys=True)
            with write_atomically(path) as file:
                file.write_text(text)
        self._stored = set(broadcast_from_first(stored))

    def get(self, name: str) -> dict[str, Any] | None:
        """Return a stored result; None if there is none, or only a damaged file."""
        if name not in self._results and name in self._stored:
            assert self._folder is not None
            file = self._folder / f"{name}{_SUFFIX}"
            try:
                self._results[name] = _read(file, name)
            except (RuntimeError, EOFError) as error:
                logger.warning("%s is damaged and is made again (%s).", file, str(error).split("\n")[0])
                self._stored.discard(name)
        return self._results.get(name)

    def put(self, name: str, result: dict[str, Any]) -> None:
        """Store a finished result of tensors and plain types."""
        self._results[name] = result
        if self._folder is not None and is_first_process():
            with write_atomically(self._folder / f"{name}{_SUFFIX}") as file:
                torch.save(result | {_NAME_KEY: name}, file)

    def discard(self, name: str) -> None:
        """Delete a result that is not needed any more."""
        self._results.pop(name, None)
        self._stored.discard(name)
        if self._folder is not None and is_first_process():
            (self._folder / f"{name}{_SUFFIX}").unlink(missing_ok=True)


def _read(file: Path, name: str) -> dict[str, Any]:
    """Read a result, or raise an error that names what is wrong with the file."""
    if not zipfile.is_zipfile(file):
        raise RuntimeError("it is not whole")
    try:
        # Tensors and plain types only: a checkpoint folder may come from elsewhere.
        result = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{file} holds more than tensors and plain types, which may run code, and is not read. Remove it, or use "
            "another folder."
        ) from error
    if not isinstance(result, dict):
        raise RuntimeError("it holds no part")
    stored = result.pop(_NAME_KEY, name)
    if stored != name:
        raise RuntimeError(f"it is a copy of {stored}{_SUFFIX}")
    return result


def _differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """Describe the differences of nested settings, with both values."""
    if before == now:
        return
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            # scvi-tools groups arguments by kind; the groups are left out of the message.
            inner = name if key in ("kwargs", "non_kwargs") else f"{name}.{key}".lstrip(".")
            yield from _differences(before.get(key), now.get(key), inner)
        return
    shown = (text if len(text := repr(value)) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}..." for value in (before, now))
    yield f"{name} was {next(shown)}, now {next(shown)}"
