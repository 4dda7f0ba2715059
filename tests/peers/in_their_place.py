"""Plugin of pytest: scvi-tools' own tests with a model of scpareto in the place of theirs.

Two environment variables say what is done: ``PEERS_REPORT`` is the file that outcomes are written to, and
``PEERS_MODEL`` names what stands in: ``ParetoVI`` for ``SCVI``, or a class of scvi-tools whose ``train`` then learns a
front by ``fit_front`` and takes the point in its middle; nothing where it is not set.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

# scvi-tools 1.4 prints by rich.pretty, which it does not import.
import rich.pretty  # noqa: F401

OUTCOMES: dict[str, str] = {}


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Put the model in its place."""
    name = os.environ.get("PEERS_MODEL")
    if name == "ParetoVI":
        from scpareto.model import ParetoVI

        for module in {item.module for item in items}:
            if hasattr(module, "SCVI"):
                module.SCVI = ParetoVI
    elif name:
        import scvi

        getattr(scvi.model, name).train = train_a_front


def train_a_front(model: Any, max_epochs: int | None = None, **options: Any) -> None:
    """Learn a front of a model of scvi-tools and take the point in its middle."""
    import scpareto as sp

    front = sp.fit_front(model, max_epochs=max_epochs, progress=False, **options)
    # Their cells are random numbers, on which nothing can be judged and recommended.
    sp.apply_point(model, front, front.numbers[len(front) // 2])


def pytest_runtest_logreport(report: Any) -> None:
    """Note the outcome of a test; an error in its setup counts as a failure."""
    if report.when == "call" or report.outcome != "passed":
        told = str(getattr(report.longrepr, "reprcrash", "")).split(": ", 1)[-1] if report.failed else ""
        OUTCOMES[report.nodeid] = f"{report.outcome}: {told}" if told else report.outcome


def pytest_sessionfinish() -> None:
    """Write the outcomes."""
    if path := os.environ.get("PEERS_REPORT"):
        Path(path).write_text(json.dumps(OUTCOMES))
