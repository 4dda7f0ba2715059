"""Arguments and context that keep trainings of scvi-tools silent and write no files."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAINER: dict[str, Any] = {
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "logger": None,
    "accelerator": "cpu",
    "devices": 1,
}
_PATIENCE = 45  # epochs, as in scvi-tools
_SILENCED_LOGGERS = ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda", "scvi")


def early_stopping() -> dict[str, Any]:
    """Return training arguments for the early stopping of scvi-tools, without output."""
    from lightning.pytorch.callbacks import EarlyStopping

    return {
        "callbacks": [EarlyStopping("elbo_validation", patience=_PATIENCE, mode="min")],
        "check_val_every_n_epoch": 1,
    }


@contextmanager
def silence_training() -> Iterator[None]:
    """Silence banners and warnings of trainings for a block."""
    levels = {name: logging.getLogger(name).level for name in _SILENCED_LOGGERS}
    for name in _SILENCED_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
