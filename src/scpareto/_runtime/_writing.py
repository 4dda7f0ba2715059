"""Files that are written whole or not at all, and folders that can be written to."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
def hdf5_written_whole(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Give an open HDF5 file to write to, and put it in place of the file once it is whole.

    Parameters
    ----------
    path
        The file. What was there stays where writing fails or is interrupted.

    Raises
    ------
    OSError
        If it cannot be written; the message names the file.

    Notes
    -----
    HDF5 cannot close what it cannot write: on a full disk it prints a traceback for every open object, and may end the
    process. So it never learns of a failure: bytes are written here, and the first error is raised at the end.
    """
    import h5py

    with written_whole(path) as unfinished, _QuietFile(unfinished) as stream:
        with h5py.File(stream, "w") as file:
            yield file
        stream.check()


class _QuietFile(io.RawIOBase):
    """A file that takes everything, and keeps the first error to itself."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise what went wrong."""
        if self._error is None:
            self._tried(lambda: os.fsync(self._file.fileno()))
        if self._error is not None:
            raise self._error

    def _tried(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except OSError as error:
            self._error = self._error or error
            return None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        # What was lost is read as zeros.
        n_read = self._tried(lambda: self._file.readinto(buffer)) or 0
        if self._error is not None:
            buffer[n_read:] = bytes(len(buffer) - n_read)
            return len(buffer)
        return n_read

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        left = memoryview(data).cast("B")
        while self._error is None and len(left):
            left = left[self._tried(partial(self._file.write, left)) or 0 :]
        return size

    def truncate(self, size: int | None = None) -> int:
        self._tried(lambda: self._file.truncate(size))
        return self.tell() if size is None else size

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        if not self.closed:
            self._tried(self._file.close)
        super().close()


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


def put_in_place(unfinished: str | os.PathLike[str]) -> None:
    """Put a finished folder in the place of all else in the folder that holds it.

    Parameters
    ----------
    unfinished
        The folder within. Until this call what lies beside it stays.

    Raises
    ------
    OSError
        If something cannot be moved; the message names the folder.

    Notes
    -----
    Nothing leaves the folder, which may be a mount. Nothing is removed before all is in place: what was there waits in
    ``replaced`` meanwhile.
    """
    unfinished = Path(unfinished)
    folder = unfinished.parent
    replaced = folder / "replaced"
    with _said(folder):
        shutil.rmtree(replaced, ignore_errors=True)
        replaced.mkdir()
        for path in sorted(folder.iterdir()):
            if path not in (unfinished, replaced):
                os.replace(path, replaced / path.name)
        for path in sorted(unfinished.iterdir()):
            os.replace(path, folder / path.name)
        unfinished.rmdir()
    shutil.rmtree(replaced, ignore_errors=True)


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
