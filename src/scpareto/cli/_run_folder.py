"""The output folder of a run: its record, its log, and how errors end it."""

from __future__ import annotations

import json
import logging
import platform
import shutil
import warnings
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from collections.abc import Iterator

console = Console()
logger = logging.getLogger("scpareto")

CHECKPOINTS = "checkpoints"
_INTERRUPTED = 130
_PACKAGE = Path(__file__).parents[1]


class UsageError(Exception):
    """Something about the arguments or the input; shown without a traceback."""


INPUT_ERRORS = (UsageError, ValueError, KeyError, TypeError)


@contextmanager
def run_folder(output: Path, arguments: dict[str, Any], *, resume: bool, overwrite: bool) -> Iterator[None]:
    """Prepare the output folder and its log, or refuse it."""
    if resume and overwrite:
        raise UsageError("--resume and --overwrite exclude each other.")
    record = output / "run.json"
    begun = json.loads(json.dumps(arguments))
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
        before = json.loads(record.read_text())["arguments"]
        changed = sorted(k for k in before.keys() | begun.keys() if before.get(k) != begun.get(k))
        if changed:
            differences = "; ".join(f"{k}: {before.get(k)!r}, now {begun.get(k)!r}" for k in changed)
            raise UsageError(f"--resume needs the arguments and input of the run in {output}. Changed: {differences}.")
    output.mkdir(parents=True, exist_ok=True)
    versions = {name: version(name) for name in ("scpareto", "scvi-tools", "torch", "anndata", "scanpy", "numpy")}
    facts = {"arguments": begun, "versions": versions | {"python": platform.python_version()}}
    fresh = not record.exists()
    record.write_text(json.dumps(facts, indent=2) + "\n")
    handler = logging.FileHandler(output / "log.txt")
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
        failed = isinstance(error, RuntimeError | OSError | MemoryError)
        logger.error("%s: %s", type(error).__name__, error, exc_info=failed)
        # Refused before any training: leave nothing that the corrected command would trip over.
        refused = fresh and isinstance(error, INPUT_ERRORS) and not (output / CHECKPOINTS).exists()
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
def reported_errors() -> Iterator[None]:
    """Exit codes: 1 for a failure, 2 for wrong arguments or input, 130 for an interruption."""
    try:
        yield
    except INPUT_ERRORS as error:
        message = error.args[0] if error.args else error
        console.print(f"[bold red]Error:[/] {escape(str(message))}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        console.print("[yellow]Interrupted.[/] Finished points are kept; add --resume to go on.")
        raise typer.Exit(_INTERRUPTED) from None
    except (RuntimeError, OSError, MemoryError) as error:
        console.print(f"[bold red]Failed:[/] {escape(str(error))} (see log.txt)", highlight=False)
        raise typer.Exit(1) from error
