"""What a case is, and the words in which one is written."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

REFUSALS = (ValueError, KeyError, TypeError, ImportError)
LONGEST = 700
"""Characters of a message that a reader takes in."""


@dataclass(frozen=True)
class Case:
    """One thing that is tried; ``run`` takes an empty folder and raises where the outcome is not right."""

    kind: str
    name: str
    run: Callable[[Path], None]


CASES: list[Case] = []


def case(kind: str, name: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Register a case."""

    def note(run: Callable[[Path], None]) -> Callable[[Path], None]:
        CASES.append(Case(kind, name, run))
        return run

    return note


def cells(n_cells: int = 120, n_genes: int = 40, n_batches: int = 2, **options: Any) -> AnnData:
    """Small simulated cells."""
    import scpareto as sp

    return sp.datasets.simulate_batches(n_cells, n_genes, n_batches=n_batches, n_types=3, seed=0, **options)


PLAN = {"critic_warmup": {"max_epochs": 1}, "de_novo": {"max_epochs": 1}, "n_bootstrap": 5}
SHORT: dict[str, Any] = {
    "max_epochs": 2,
    "max_epochs_pretrain": 1,
    "n_points": 4,
    "progress": False,
    "accelerator": "cpu",
    "plan_kwargs": PLAN,
}


def paretovi(adata: AnnData | None = None, *, train: bool = True, setup: Any = None, **changes: Any) -> Any:
    """Return a small model, trained as shortly as can be."""
    import scpareto as sp

    adata = cells() if adata is None else adata
    sp.model.ParetoVI.setup_anndata(adata, **({"batch_key": "batch"} | (setup or {})))
    model = sp.model.ParetoVI(adata, n_hidden=8, n_latent=3, seed=0)
    if train:
        model.train(**SHORT | changes)
    return model


def refused(call: Callable[[], Any], *words: str, kinds: tuple[type[BaseException], ...] = REFUSALS) -> str:
    """Require a refusal in a sentence that holds the words."""
    try:
        with redirect_stdout(io.StringIO()) as shown, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except kinds as error:
        message = str(error.args[0] if error.args else error)
    else:
        raise AssertionError("not refused")
    assert not re.search(r"pretraining|point \d of", shown.getvalue()), "training began before the refusal"
    assert len(message) <= LONGEST, f"{len(message)} characters: {message}"
    missing = [word for word in words if word.lower() not in message.lower()]
    assert not missing, f"the message does not say {missing}: {message}"
    return message


def warned(call: Callable[[], Any], *words: str) -> Any:
    """Require a warning that holds the words."""
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        found = call()
    told = [str(w.message) for w in noted]
    assert any(all(word.lower() in text.lower() for word in words) for text in told), f"not warned of {words}: {told}"
    return found


def finite(codes: Any, n_cells: int) -> None:
    """Require codes of all cells."""
    codes = np.asarray(codes)
    assert len(codes) == n_cells, codes.shape
    assert np.isfinite(codes).all(), "codes are not finite"


CLI_SHORT = ["--n-points", "4", "--max-epochs", "2", "--max-epochs-pretrain", "1", "--n-top-genes", "0"]


def command(*arguments: Any) -> Any:
    """Run the command line in this process."""
    from typer.testing import CliRunner

    from scpareto.cli import app

    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def cli_refused(folder: Path, *words: str, arguments: list[Any]) -> None:
    """Require exit code 2 and one line that holds the words, and nothing else."""
    result = command(*arguments)
    text = result.output
    assert result.exit_code == 2, f"exit code {result.exit_code}: {text[-300:]} {result.exception!r}"
    lines = [line for line in text.splitlines() if line.strip()]
    assert "Traceback" not in text, text[-300:]
    assert len(lines) == 1, f"{len(lines)} lines: {text[:500]}"
    missing = [word for word in words if word.lower() not in text.lower()]
    assert not missing, f"the message does not say {missing}: {text}"


def cli_runs(*arguments: Any) -> Any:
    """Require exit code 0."""
    result = command(*arguments)
    assert result.exit_code == 0, f"exit code {result.exit_code}: {result.output[-400:]} {result.exception!r}"
    return result
