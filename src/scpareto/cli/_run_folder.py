"""The output folder of a run: its record, its log, and how errors end it."""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import signal
import sys
import warnings
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape

import scpareto
from scpareto._runtime import Stopped, check_folder, raise_on_signals, replace_contents, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

console = Console()
logger = logging.getLogger("scpareto")

CHECKPOINTS = "checkpoints"
_UNFINISHED = "unfinished"
_SIGNAL, _LONGEST = 128, 255
_PACKAGE = Path(__file__).parents[1]


class RunFailedError(RuntimeError):
    """Something went wrong after the training had begun; nothing that the user gave was refused."""


class UsageError(Exception):
    """Something about the arguments or the input; shown without a traceback."""


INPUT_ERRORS = (UsageError, ValueError, KeyError, TypeError)


class _Log(logging.FileHandler):
    """A log that is given up where nothing can be written, as on a full disk: the error itself is told elsewhere."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing."""


class _Terminal:
    """What is printed to; where that fails, as in a pipe that was closed, the work goes on without."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._tried(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._tried(self._stream.flush)

    def _tried(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except OSError:
            # Python itself would fail once more at its end, when it writes what it still holds.
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())


@contextmanager
def run_folder(
    output: Path, arguments: dict[str, Any], *, data: Path | None = None, resume: bool | None = None, overwrite: bool
) -> Iterator[Path]:
    """Prepare the output folder and its log, or refuse it.

    Parameters
    ----------
    output
        The folder.
    arguments
        What ``run.json`` keeps.
    data
        The file that is read.
    resume
        Whether to go on with an earlier run; None for a command that cannot.
    overwrite
        Whether an earlier run is replaced: it stays until this one is finished.

    Yields
    ------
    Path
        Where to write: the folder, or one within it while an earlier run stays. Of several processes that train
        together only the first one prepares and writes.
    """
    from scpareto._runtime import is_first_process

    if not is_first_process():
        begun_anew = (output / _UNFINISHED / "run.json").exists()
        yield output / _UNFINISHED if begun_anew else output
        return
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other.")
    begun = json.loads(json.dumps(arguments))
    if len(output.name.encode()) > _LONGEST:
        raise UsageError(f"--output {output.name[:40]}... is too long a name for a folder.")
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file, not a folder.")
    place, record = output, output / "run.json"
    used = output.exists() and any(output.iterdir())
    if used and overwrite:
        _check_ours(output, arguments["command"], data)
        place = output / _UNFINISHED
        shutil.rmtree(place, ignore_errors=True)
    elif used:
        if not resume:
            options = "--overwrite" if resume is None else "--resume or --overwrite"
            raise UsageError(f"{output} is not empty. Choose another --output, or use {options}.")
        if (output / _UNFINISHED / "run.json").exists():
            place = output / _UNFINISHED
        record = place / "run.json"
        if not record.exists():
            raise UsageError(f"{output} holds no run to go on with: run.json is missing.")
        try:
            before = json.loads(record.read_text())["arguments"]
        except (ValueError, KeyError) as error:
            raise UsageError(f"{record} is damaged ({error}). Use --overwrite, or another --output.") from error
        changed = sorted(k for k in before.keys() | begun.keys() if before.get(k) != begun.get(k))
        if changed:
            differences = "; ".join(f"{k}: {before.get(k)!r}, now {begun.get(k)!r}" for k in changed)
            raise UsageError(f"--resume needs the arguments and input of the run in {output}. Changed: {differences}.")
    check_folder("output", output)
    place.mkdir(exist_ok=True)
    record = place / "run.json"
    versions = {name: version(name) for name in ("scpareto", "scvi-tools", "torch", "anndata", "scanpy", "numpy")}
    facts = {"arguments": begun, "versions": versions | {"python": platform.python_version()}}
    fresh = not record.exists()
    with write_atomically(record) as file:
        file.write_text(json.dumps(facts, indent=2) + "\n")
    handler = _Log(place / "log.txt")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.info("scpareto %s: %s", versions["scpareto"], json.dumps(begun))
    refused = False
    try:
        with _warnings_noted():
            yield place
        logger.info("finished")
    except BaseException as error:
        failed = not isinstance(error, (*INPUT_ERRORS, KeyboardInterrupt)) or (place / CHECKPOINTS).exists()
        logger.error("%s: %s", type(error).__name__, error, exc_info=failed)
        # Refused before any training: leave nothing that the corrected command would trip over.
        trained = any((place / CHECKPOINTS).glob("*.pt"))
        refused = fresh and isinstance(error, INPUT_ERRORS) and not trained
        if trained and isinstance(error, INPUT_ERRORS):
            raise RunFailedError(str(error.args[0] if error.args else error)) from error
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
        if refused:
            shutil.rmtree(place)
    if place != output:
        replace_contents(place)


@contextmanager
def _warnings_noted() -> Iterator[None]:
    """Write every warning to the log; show those about the user's data and arguments, not those of libraries."""
    shown: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        logger.info("%s: %s (%s:%d)", category.__name__, message, filename, lineno)
        ours = issubclass(category, UserWarning) and _PACKAGE in Path(filename).parents
        # The same data are checked before and after the choice of genes.
        if ours and str(message) not in shown:
            shown.add(str(message))
            console.print(f"[yellow]Warning:[/] {escape(str(message))}", highlight=False)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def _check_ours(output: Path, command: str, data: Path | None) -> None:
    """Refuse to empty a folder that this command has not made, or that holds what it reads."""
    if not (output / "run.json").exists():
        raise UsageError(f"{output} was not made by scpareto (no run.json): --overwrite will not empty it.")
    if data is not None and output.resolve() in data.resolve().parents:
        raise UsageError(f"{data} lies in {output}, which --overwrite empties. Choose another --output.")
    try:
        before = json.loads((output / "run.json").read_text())["arguments"]["command"]
    except (ValueError, KeyError, TypeError):
        return  # a record that cannot be read is one to replace
    if before != command:
        raise UsageError(
            f"{output} holds a run of 'scpareto {before}', which 'scpareto {command} --overwrite' will not replace. "
            "Choose another --output."
        )


@contextmanager
def reported_errors(output: Path | None = None, *, resumes: bool = False) -> Iterator[None]:
    """Exit codes: 1 for a failure, 2 for wrong arguments or input, 128 and its number for a signal.

    Parameters
    ----------
    output
        Folder of the run, for a command that has one.
    resumes
        Whether the command goes on with ``--resume``.
    """
    # All at once and before any work: an interruption in the middle of an import is lost.
    for name in scpareto.__all__:
        getattr(scpareto, name)
    from scpareto._runtime import is_first_process

    console.quiet = not is_first_process()
    way_on = "Finished parts are kept; add --resume to go on." if resumes else ""
    with redirect_stdout(_Terminal(sys.stdout)):
        yield from _reported(output, way_on)


def _reported(output: Path | None, way_on: str) -> Iterator[None]:
    try:
        with raise_on_signals():
            yield
    except INPUT_ERRORS as error:
        message = " ".join(str(error.args[0] if error.args else error).split())
        console.print(f"[bold red]Error:[/] {escape(message)}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        name = f" by {error}" if isinstance(error, Stopped) else ""
        told = f"[yellow]Interrupted{name}.[/] {way_on.replace('parts', 'points')} {_what_stays(output)}"
        console.print(" ".join(told.split()), highlight=False, soft_wrap=True)
        number = error.number if isinstance(error, Stopped) else signal.SIGINT
        if console.quiet:  # the process that waits for this one takes any other code for a failure
            raise typer.Exit from None
        raise typer.Exit(_SIGNAL + number) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if console.quiet:
            print(f"One of the processes that train together failed: {reason}", file=sys.stderr)
        told = f"[bold red]Failed:[/] {escape(reason)}{_where_told(output)}. {way_on} {_what_stays(output)}"
        console.print(" ".join(told.split()), highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _where_told(output: Path | None) -> str:
    """Name the log, where there is one."""
    if output is None:
        return ""
    log = Path(_UNFINISHED, "log.txt")
    return f" (see {log if (output / log).exists() else 'log.txt'})"


def _what_stays(output: Path | None) -> str:
    """Say that an earlier run is there still."""
    stays = output is not None and (output / _UNFINISHED).exists()
    return f"The earlier results in {escape(str(output))} stay as they were." if stays else ""
