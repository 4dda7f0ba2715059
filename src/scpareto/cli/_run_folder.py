"""The output folder of a run: its record, its log, and the report of errors."""

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
_SIGNAL_EXIT_CODE, _MAX_NAME_BYTES = 128, 255
_PACKAGE = Path(__file__).parents[1]


class RunFailedError(RuntimeError):
    """The run failed after the training had begun, not because of wrong arguments or input."""


class UsageError(Exception):
    """The arguments or the input are wrong; shown without a traceback."""


INPUT_ERRORS = (UsageError, ValueError, KeyError, TypeError)


class _Log(logging.FileHandler):
    """A log that ignores write errors, as on a full disk: such errors are reported elsewhere."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore the error."""


class _Terminal:
    """Standard output; if writing fails, as in a closed pipe, the command continues without output."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try_writing(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try_writing(self._stream.flush)

    def _try_writing(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except OSError:
            # Otherwise Python would fail again at exit, when it flushes its buffer.
            with open(os.devnull, "w") as devnull:
                os.dup2(devnull.fileno(), self._stream.fileno())


@contextmanager
def prepare_folder(
    output: Path, arguments: dict[str, Any], *, data: Path | None = None, resume: bool | None = None, overwrite: bool
) -> Iterator[Path]:
    """Prepare the output folder and its log, or raise an error if the folder cannot be used.

    Parameters
    ----------
    output
        The folder.
    arguments
        Arguments to store in ``run.json``.
    data
        The input file.
    resume
        Whether to continue an earlier run; None for a command that cannot.
    overwrite
        Whether to replace an earlier run; it is kept until this one is finished.

    Yields
    ------
    Path
        Folder to write to: the output folder, or a folder in it while an earlier run is kept. Of several processes that
        train together only the first one prepares and writes.
    """
    from scpareto._runtime import is_first_process

    if not is_first_process():
        is_replacement = (output / _UNFINISHED / "run.json").exists()
        yield output / _UNFINISHED if is_replacement else output
        return
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other.")
    recorded_arguments = json.loads(json.dumps(arguments))
    if len(output.name.encode()) > _MAX_NAME_BYTES:
        raise UsageError(f"--output {output.name[:40]}... is too long a name for a folder.")
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file, not a folder.")
    folder, record = output, output / "run.json"
    is_used = output.exists() and any(output.iterdir())
    if is_used and overwrite:
        _check_replaceable(output, arguments["command"], data)
        folder = output / _UNFINISHED
        shutil.rmtree(folder, ignore_errors=True)
    elif is_used:
        if not resume:
            options = "--overwrite" if resume is None else "--resume or --overwrite"
            raise UsageError(f"{output} is not empty. Choose another --output, or use {options}.")
        if (output / _UNFINISHED / "run.json").exists():
            folder = output / _UNFINISHED
        record = folder / "run.json"
        if not record.exists():
            raise UsageError(f"{output} holds no run to go on with: run.json is missing.")
        try:
            earlier = json.loads(record.read_text())["arguments"]
        except (ValueError, KeyError) as error:
            raise UsageError(f"{record} is damaged ({error}). Use --overwrite, or another --output.") from error
        changed = sorted(
            k for k in earlier.keys() | recorded_arguments.keys() if earlier.get(k) != recorded_arguments.get(k)
        )
        if changed:
            differences = "; ".join(f"{k}: {earlier.get(k)!r}, now {recorded_arguments.get(k)!r}" for k in changed)
            raise UsageError(f"--resume needs the arguments and input of the run in {output}. Changed: {differences}.")
    check_folder("output", output)
    folder.mkdir(exist_ok=True)
    record = folder / "run.json"
    versions = {name: version(name) for name in ("scpareto", "scvi-tools", "torch", "anndata", "scanpy", "numpy")}
    content = {"arguments": recorded_arguments, "versions": versions | {"python": platform.python_version()}}
    is_new = not record.exists()
    with write_atomically(record) as file:
        file.write_text(json.dumps(content, indent=2) + "\n")
    handler = _Log(folder / "log.txt")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.info("scpareto %s: %s", versions["scpareto"], json.dumps(recorded_arguments))
    remove_folder = False
    try:
        with _log_warnings():
            yield folder
        logger.info("finished")
    except BaseException as error:
        failed = not isinstance(error, (*INPUT_ERRORS, KeyboardInterrupt)) or (folder / CHECKPOINTS).exists()
        logger.error("%s: %s", type(error).__name__, error, exc_info=failed)
        # For an input error before any training: remove the folder, so that the corrected command can use it.
        has_trained = any((folder / CHECKPOINTS).glob("*.pt"))
        remove_folder = is_new and isinstance(error, INPUT_ERRORS) and not has_trained
        if has_trained and isinstance(error, INPUT_ERRORS):
            raise RunFailedError(str(error.args[0] if error.args else error)) from error
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
        if remove_folder:
            shutil.rmtree(folder)
    if folder != output:
        replace_contents(folder)


@contextmanager
def _log_warnings() -> Iterator[None]:
    """Write every warning to the log; print those about the user's data and arguments, but not those of libraries."""
    printed: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        logger.info("%s: %s (%s:%d)", category.__name__, message, filename, lineno)
        from_scpareto = issubclass(category, UserWarning) and _PACKAGE in Path(filename).parents
        # Print each message once: the data are checked before and after the selection of genes.
        if from_scpareto and str(message) not in printed:
            printed.add(str(message))
            console.print(f"[yellow]Warning:[/] {escape(str(message))}", highlight=False)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = show
        yield


def _check_replaceable(output: Path, command: str, data: Path | None) -> None:
    """Raise an error if this command has not made the folder, or if the folder holds its input."""
    if not (output / "run.json").exists():
        raise UsageError(f"{output} was not made by scpareto (no run.json): --overwrite will not empty it.")
    if data is not None and output.resolve() in data.resolve().parents:
        raise UsageError(f"{data} lies in {output}, which --overwrite empties. Choose another --output.")
    try:
        earlier = json.loads((output / "run.json").read_text())["arguments"]["command"]
    except (ValueError, KeyError, TypeError):
        return  # an unreadable record may be replaced
    if earlier != command:
        raise UsageError(
            f"{output} holds a run of 'scpareto {earlier}', which 'scpareto {command} --overwrite' will not replace. "
            "Choose another --output."
        )


@contextmanager
def report_errors(output: Path | None = None, *, resumes: bool = False) -> Iterator[None]:
    """Report errors and exit: 1 for a failure, 2 for wrong arguments or input, 128 plus the number of a signal.

    Parameters
    ----------
    output
        Folder of the run, for a command that has one.
    resumes
        Whether the command can continue with ``--resume``.
    """
    # Import everything before any work, because an interruption during an import can be lost.
    for name in scpareto.__all__:
        getattr(scpareto, name)
    from scpareto._runtime import is_first_process

    console.quiet = not is_first_process()
    hint = "Finished parts are kept; add --resume to go on." if resumes else ""
    with redirect_stdout(_Terminal(sys.stdout)):
        yield from _report(output, hint)


def _report(output: Path | None, hint: str) -> Iterator[None]:
    try:
        with raise_on_signals():
            yield
    except INPUT_ERRORS as error:
        message = " ".join(str(error.args[0] if error.args else error).split())
        console.print(f"[bold red]Error:[/] {escape(message)}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        name = f" by {error}" if isinstance(error, Stopped) else ""
        text = f"[yellow]Interrupted{name}.[/] {hint.replace('parts', 'points')} {_describe_earlier_results(output)}"
        console.print(" ".join(text.split()), highlight=False, soft_wrap=True)
        number = error.number if isinstance(error, Stopped) else signal.SIGINT
        if console.quiet:  # the first process would take any other exit code for a failure
            raise typer.Exit from None
        raise typer.Exit(_SIGNAL_EXIT_CODE + number) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        if console.quiet:
            print(f"One of the processes that train together failed: {reason}", file=sys.stderr)
        text = f"[bold red]Failed:[/] {escape(reason)}{_name_log(output)}. {hint} {_describe_earlier_results(output)}"
        console.print(" ".join(text.split()), highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _name_log(output: Path | None) -> str:
    """Return a reference to the log, if the command has one."""
    if output is None:
        return ""
    log = Path(_UNFINISHED, "log.txt")
    return f" (see {log if (output / log).exists() else 'log.txt'})"


def _describe_earlier_results(output: Path | None) -> str:
    """Say that the results of an earlier run were kept, if there is one."""
    earlier_results = output is not None and (output / _UNFINISHED).exists()
    return f"The earlier results in {escape(str(output))} stay as they were." if earlier_results else ""
