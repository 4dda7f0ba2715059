"""Files that are written whole or not at all, and folders that can be written to."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a neighbour to write to, and put it in place of the file once it is whole.

    Parameters
    ----------
    path
        The file. What was there stays where writing fails or is interrupted.

    Raises
    ------
    OSError
        If it cannot be written; the message names the file.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    with _said(path):
        try:
            yield unfinished
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a neighbour to write to, and put its files into the folder once they are whole.

    Parameters
    ----------
    folder
        The folder, which may exist; further files in it stay.

    Raises
    ------
    OSError
        If it cannot be written; the message names the folder.
    """
    folder = Path(folder)
    with _said(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name[:100]}.", suffix=".unfinished", dir=folder.parent))
        try:
            yield unfinished
            if not folder.exists():
                # As a folder that mkdir makes: a temporary one is for its owner only.
                folder.mkdir()
            for file in sorted(unfinished.iterdir()):
                os.replace(file, folder / file.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Say which file or folder could not be written, in one sentence."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        # PyTorch and HDF5 tell of a full disk in their own words, over many lines.
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else str(error).strip().split("\n")[0][:200]
        raise OSError(number, f"{path} could not be written ({reason}); what was there before stays") from error


def check_folder(name: str, folder: str | os.PathLike[str]) -> Path:
    """Make a folder where there is none, and refuse one that cannot be written to.

    Parameters
    ----------
    name
        Argument that names it.
    folder
        The folder.

    Raises
    ------
    ValueError
        If it cannot be made, or no file can be written there.
    """
    folder = Path(folder)
    made = [place for place in (folder, *folder.parents) if not _exists(place)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe") as file:
            file.write(b"0" * 4096)
    except OSError as error:
        for place in made:
            if _exists(place):
                place.rmdir()
        shown = str(folder) if len(str(folder)) < 200 else f"{str(folder)[:100]}..."
        raise ValueError(f"{name}={shown!r} is no folder that can be written to ({error.strerror}).") from error
    return folder


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
