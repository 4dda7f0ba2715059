"""Write files and folders completely or not at all; check that a folder is writable."""

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
def write_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to a file, and move it to the file's place when the block ends.

    Parameters
    ----------
    path
        The file. An existing file stays if writing fails or is interrupted.

    Raises
    ------
    OSError
        If the file cannot be written; the message names it.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    with _errors_named(path):
        try:
            yield unfinished
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)


@contextmanager
def write_hdf5_atomically(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Yield an open temporary HDF5 file, and move it to the file's place when the block ends.

    Parameters
    ----------
    path
        The file. An existing file stays if writing fails or is interrupted.

    Raises
    ------
    OSError
        If the file cannot be written; the message names it.

    Notes
    -----
    On a full disk HDF5 cannot close its objects: it prints a traceback for each of them, and may end the process. It
    therefore writes to a stream that hides errors, and the first error is raised at the end.
    """
    import h5py

    with write_atomically(path) as unfinished, _ErrorKeepingFile(unfinished) as stream:
        with h5py.File(stream, "w") as file:
            yield file
        stream.check()


class _ErrorKeepingFile(io.RawIOBase):
    """A file that accepts every write and stores the first error, which :meth:`check` raises."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the first error, if there was one."""
        if self._error is None:
            self._store_error(lambda: os.fsync(self._file.fileno()))
        if self._error is not None:
            raise self._error

    def _store_error(self, act: Callable[[], Any]) -> Any:
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
        # Bytes that could not be read become zeros.
        n_read = self._store_error(lambda: self._file.readinto(buffer)) or 0
        if self._error is not None:
            buffer[n_read:] = bytes(len(buffer) - n_read)
            return len(buffer)
        return n_read

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        left = memoryview(data).cast("B")
        while self._error is None and len(left):
            left = left[self._store_error(partial(self._file.write, left)) or 0 :]
        return size

    def truncate(self, size: int | None = None) -> int:
        self._store_error(lambda: self._file.truncate(size))
        return self.tell() if size is None else size

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        if not self.closed:
            self._store_error(self._file.close)
        super().close()


@contextmanager
def write_folder_atomically(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder, and move its files into the folder when the block ends.

    Parameters
    ----------
    folder
        The folder, which may exist; other files in it stay.

    Raises
    ------
    OSError
        If the folder cannot be written; the message names it.
    """
    folder = Path(folder)
    with _errors_named(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name[:100]}.", suffix=".unfinished", dir=folder.parent))
        try:
            yield unfinished
            if not folder.exists():
                # mkdir gives the usual permissions; those of a temporary folder are for its owner only.
                folder.mkdir()
            for file in sorted(unfinished.iterdir()):
                os.replace(file, folder / file.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def replace_contents(unfinished: str | os.PathLike[str]) -> None:
    """Replace the contents of a folder by those of a finished folder within it.

    Parameters
    ----------
    unfinished
        The finished folder; all other entries of its parent are removed.

    Raises
    ------
    OSError
        If something cannot be moved; the message names the folder.

    Notes
    -----
    Files only move within the folder, which may be a mount. Old contents wait in ``replaced`` until the new ones are
    in place.
    """
    unfinished = Path(unfinished)
    folder = unfinished.parent
    replaced = folder / "replaced"
    with _errors_named(folder):
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
def _errors_named(path: Path) -> Iterator[None]:
    """Turn a failure to write into an OSError of one sentence that names the file or folder."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        # PyTorch and HDF5 describe a full disk in messages of many lines.
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else str(error).strip().split("\n")[0][:200]
        raise OSError(number, f"{path} could not be written ({reason}); what was there before stays") from error


def check_folder(name: str, folder: str | os.PathLike[str]) -> Path:
    """Create a folder if it does not exist, and refuse one that is not writable.

    Parameters
    ----------
    name
        Name of the argument.
    folder
        The folder.

    Raises
    ------
    ValueError
        If the folder cannot be created, or no file can be written there.
    """
    folder = Path(folder)
    created = [path for path in (folder, *folder.parents) if not _exists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe") as file:
            file.write(b"0" * 4096)
    except OSError as error:
        for path in created:
            if _exists(path):
                path.rmdir()
        shown = str(folder) if len(str(folder)) < 200 else f"{str(folder)[:100]}..."
        raise ValueError(f"{name}={shown!r} is no folder that can be written to ({error.strerror}).") from error
    return folder


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
