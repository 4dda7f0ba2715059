"""The output folder of a run: its record, its log, and how errors end it."""

from __future__ import annotations

import json
import logging
import platform
import shutil
import signal
import warnings
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape

import scpareto
from scpareto._runtime import Stopped, check_folder, signals_raised, written_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

console = Console()
logger = logging.getLogger("scpareto")

CHECKPOINTS = "checkpoints"
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


@contextmanager
def run_folder(output: Path, arguments: dict[str, Any], *, resume: bool, overwrite: bool) -> Iterator[None]:
    """Prepare the output folder and its log, or refuse it."""
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other.")
    record = output / "run.json"
    begun = json.loads(json.dumps(arguments))
    if len(output.name.encode()) > _LONGEST:
        raise UsageError(f"--output {output.name[:40]}... is too long a name for a folder.")
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file, not a folder.")
    if overwrite and output.exists():
        _check_ours(output)
        shutil.rmtree(output)
    if output.exists() and any(output.iterdir()):
        if not resume:
            raise UsageError(f"{output} is not empty. Choose another --output, or use --resume or --overwrite.")
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
    versions = {name: version(name) for name in ("scpareto", "scvi-tools", "torch", "anndata", "scanpy", "numpy")}
    facts = {"arguments": begun, "versions": versions | {"python": platform.python_version()}}
    fresh = not record.exists()
    with written_whole(record) as file:
        file.write_text(json.dumps(facts, indent=2) + "\n")
    handler = _Log(output / "log.txt")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.info("scpareto %s: %s", versions["scpareto"], json.dumps(begun))
    refused = False
    try:
        with _warnings_noted():
            yield
        logger.info("finished")
    except BaseException as error:
        failed = not isinstance(error, (*INPUT_ERRORS, KeyboardInterrupt)) or (output / CHECKPOINTS).exists()
        logger.error("%s: %s", type(error).__name__, error, exc_info=failed)
        # Refused before any training: leave nothing that the corrected command would trip over.
        trained = any((output / CHECKPOINTS).glob("*.pt"))
        refused = fresh and isinstance(error, INPUT_ERRORS) and not trained
        if trained and isinstance(error, INPUT_ERRORS):
            raise RunFailedError(str(error.args[0] if error.args else error)) from error
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
        if refused:
            shutil.rmtree(output)


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


def _check_ours(output: Path) -> None:
    """Refuse to empty a folder that no run of ours has made."""
    if any(output.iterdir()) and not (output / "run.json").exists():
        raise UsageError(f"{output} was not made by scpareto (no run.json): --overwrite will not empty it.")


@contextmanager
def reported_errors(*, resumes: bool = False) -> Iterator[None]:
    """Exit codes: 1 for a failure, 2 for wrong arguments or input, 128 and its number for a signal.

    Parameters
    ----------
    resumes
        Whether the command goes on with ``--resume``.
    """
    # All at once and before any work: an interruption in the middle of an import is lost.
    for name in scpareto.__all__:
        getattr(scpareto, name)
    way_on = "Finished parts are kept; add --resume to go on." if resumes else ""
    try:
        with signals_raised():
            yield
    except INPUT_ERRORS as error:
        message = " ".join(str(error.args[0] if error.args else error).split())
        console.print(f"[bold red]Error:[/] {escape(message)}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        name = f" by {error}" if isinstance(error, Stopped) else ""
        console.print(f"[yellow]Interrupted{name}.[/] {way_on.replace('parts', 'points')}".rstrip(), soft_wrap=True)
        number = error.number if isinstance(error, Stopped) else signal.SIGINT
        raise typer.Exit(_SIGNAL + number) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        told = f"[bold red]Failed:[/] {escape(' '.join(reason.split()))} (see log.txt). {way_on}".rstrip()
        console.print(told, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
