"""Finished parts of a front, in memory and, if wanted, on disk."""

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

_SETTINGS, _SUFFIX, _NOTED, _NAME = "settings.json", ".pt", "noted", "stored_as"
_MOST_SHOWN, _LONGEST = 6, 60


class ResultStore:
    """Results of finished trainings by name; each is written whole or not at all.

    Of several processes only the first writes; all of them read, from one folder, what was there when they began. What
    the first has written since then the others have put too, and must not find before that: they would skip an exchange
    in which the first one waits for them.

    Parameters
    ----------
    settings
        Everything that determines the results, as plain types: a folder that was begun with other settings is refused.
    folder
        Where parts are written; None keeps them in memory only.
    noted
        What changes results by rounding only, such as threads and versions of libraries: a difference is warned of.

    Raises
    ------
    ValueError
        If the folder belongs to a run with other settings, or its parts to nobody knows which; the message names what
        differs.

    Warns
    -----
    UserWarning
        If something that is noted differs.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        folder: str | os.PathLike[str] | None = None,
        *,
        noted: Mapping[str, Any] | None = None,
    ) -> None:
        self._parts: dict[str, dict[str, Any]] = {}
        self._present: set[str] = set()
        self._folder = None if folder is None else Path(folder)
        if self._folder is None:
            return
        check_folder("checkpoint_dir", self._folder)
        # Through JSON and back, so that what is compared is what was written.
        present, beside = json.loads(json.dumps([settings, noted or {}], sort_keys=True))
        path = self._folder / _SETTINGS
        found = sorted(file.stem for file in self._folder.glob(f"*{_SUFFIX}"))
        if path.exists():
            try:
                begun = json.loads(path.read_text())
                before = dict(begun.pop(_NOTED, {}))
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"{path} is damaged ({error}), so that nobody knows which run the folder is of. Use another "
                    "folder, or empty this one."
                ) from error
            if changed := list(_differences(begun, present)):
                more = f"; and {len(changed) - _MOST_SHOWN} more" if len(changed) > _MOST_SHOWN else ""
                raise ValueError(
                    f"{self._folder} holds points of a run with other settings "
                    f"({'; '.join(changed[:_MOST_SHOWN])}{more}). Use those settings, or another folder."
                )
            if others := sorted(k for k in before.keys() & beside.keys() if before[k] != beside[k]):
                differences = "; ".join(f"{k} was {before[k]!r}, now {beside[k]!r}" for k in others)
                warnings.warn(
                    f"{self._folder} was begun elsewhere ({differences}): what is trained now may differ by rounding.",
                    UserWarning,
                    stacklevel=5,
                )
        elif found and is_first_process():
            raise ValueError(
                f"{self._folder} holds {', '.join(found)}{_SUFFIX} without {_SETTINGS}, so that nobody knows which run "
                "they are of. Use another folder, or empty this one."
            )
        elif is_first_process():
            text = json.dumps(present | {_NOTED: beside}, indent=2, sort_keys=True)
            with write_atomically(path) as file:
                file.write_text(text)
        self._present = set(broadcast_from_first(found))

    def get(self, name: str) -> dict[str, Any] | None:
        """Return a finished part; None if there is none, or only a damaged file."""
        if name not in self._parts and name in self._present:
            assert self._folder is not None
            file = self._folder / f"{name}{_SUFFIX}"
            try:
                self._parts[name] = _read(file, name)
            except (RuntimeError, EOFError) as error:
                logger.warning("%s is damaged and is made again (%s).", file, str(error).split("\n")[0])
                self._present.discard(name)
        return self._parts.get(name)

    def put(self, name: str, part: dict[str, Any]) -> None:
        """Keep a finished part of tensors and plain types."""
        self._parts[name] = part
        if self._folder is not None and is_first_process():
            with write_atomically(self._folder / f"{name}{_SUFFIX}") as file:
                torch.save(part | {_NAME: name}, file)

    def discard(self, name: str) -> None:
        """Forget a part that is not needed any more."""
        self._parts.pop(name, None)
        self._present.discard(name)
        if self._folder is not None and is_first_process():
            (self._folder / f"{name}{_SUFFIX}").unlink(missing_ok=True)


def _read(file: Path, name: str) -> dict[str, Any]:
    """Read a part, or say what is wrong with it."""
    if not zipfile.is_zipfile(file):
        raise RuntimeError("it is not whole")
    try:
        # Tensors and plain types only: a checkpoint folder may come from elsewhere.
        part = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{file} holds more than tensors and plain types, which may run code, and is not read. Remove it, or use "
            "another folder."
        ) from error
    if not isinstance(part, dict):
        raise RuntimeError("it holds no part")
    stored = part.pop(_NAME, name)
    if stored != name:
        raise RuntimeError(f"it is a copy of {stored}{_SUFFIX}")
    return part


def _differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """Name what differs, with both values, in nested settings."""
    if before == now:
        return
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            # How scvi-tools tells arguments apart is of no interest here.
            inner = name if key in ("kwargs", "non_kwargs") else f"{name}.{key}".lstrip(".")
            yield from _differences(before.get(key), now.get(key), inner)
        return
    shown = (text if len(text := repr(value)) <= _LONGEST else f"{text[:_LONGEST]}..." for value in (before, now))
    yield f"{name} was {next(shown)}, now {next(shown)}"
