"""Settings for every test, and the fixtures that several rooms share."""

from __future__ import annotations

import logging
import os
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"

import matplotlib
import pytest
import torch
from hypothesis import settings

matplotlib.use("Agg")
torch.set_num_threads(1)

# The first example of a test may compile numba code or import scvi: time says nothing about it. CI draws the same
# examples every time, so that a red run is about the change.
settings.register_profile("scpareto", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("scpareto")

# Child loggers: lightning sets the level of the parents when it is imported.
for name in (
    "lightning.fabric.utilities.seed",
    "lightning.pytorch.accelerators.cuda",
    "lightning.pytorch.utilities.rank_zero",
):
    logging.getLogger(name).setLevel(logging.ERROR)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real datasets named by SCPARETO_TEST_DATA; skip the test where there is none."""
    folder = os.environ.get("SCPARETO_TEST_DATA")
    if not folder:
        pytest.skip("SCPARETO_TEST_DATA names no folder of real datasets")
    if not Path(folder).is_dir():
        pytest.fail(f"SCPARETO_TEST_DATA is {folder!r}, which is not a folder")
    return Path(folder)
