"""Further cases, tried once the gates stood."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from fault_cases._cases import CLI_SHORT, case, cells, cli_refused, cli_runs

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def _file(folder: Path, adata: AnnData | None = None) -> Path:
    path = folder / "cells.h5ad"
    (cells() if adata is None else adata).write_h5ad(path)
    return path


def _fit(folder: Path, adata: AnnData | None = None, *options: Any) -> list[Any]:
    return ["fit", _file(folder, adata), "--batch-key", "batch", *CLI_SHORT, "--output", folder / "out", *options]


def _process(arguments: list[Any], **options: Any) -> subprocess.CompletedProcess[str]:
    environment = os.environ | options.pop("environment", {})
    line = [sys.executable, "-m", "scpareto.cli", *map(str, arguments)]
    return subprocess.run(line, stderr=subprocess.STDOUT, text=True, timeout=200, env=environment, **options)


@case("work", "what fit prints has nowhere to go: the disk of the terminal is full")
def _full_terminal(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        _process(_fit(folder), stdout=full)
    assert (folder / "out" / "adata.h5ad").exists(), "the work is lost"
    assert not (folder / "out" / "unfinished").exists()


@case("work", "what fit prints is read by a pipe that closes")
def _closed_pipe(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        _process(_fit(folder), stdout=closed)
    assert (folder / "out" / "adata.h5ad").exists(), "the work is lost"


@case("crashes", "fit where the terminal takes ASCII only, with batches and a folder in Greek")
def _ascii(folder: Path) -> None:
    adata = cells()
    adata.obs["batch"] = np.where(np.arange(120) % 2, "α", "β")
    arguments = [*_fit(folder, adata)[:-1], folder / "λόγος"]
    result = _process(arguments, stdout=subprocess.PIPE, environment={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert result.returncode == 0, result.stdout[-300:]


@case("crashes", "a refusal where the terminal takes ASCII only")
def _ascii_refusal(folder: Path) -> None:
    arguments = _fit(folder, None, "--labels-key", "τύπος")
    result = _process(arguments, stdout=subprocess.PIPE, environment={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert result.returncode == 2, result.stdout[-300:]
    assert "Traceback" not in result.stdout, result.stdout[-300:]


@case("work", "a page of the explorer over the cells of the run")
def _over_cells(folder: Path) -> None:
    cli_runs(*_fit(folder))
    out = folder / "out"
    before = (out / "adata.h5ad").read_bytes()
    cli_refused(folder, "adata.h5ad", arguments=["explore", out, "--output", out / "adata.h5ad"])
    assert (out / "adata.h5ad").read_bytes() == before, "the cells are lost"


@case("work", "two runs into one folder: the second one is refused")
def _twice(folder: Path) -> None:
    cli_runs(*_fit(folder))
    cli_refused(folder, "not empty", "--resume", arguments=_fit(folder))
