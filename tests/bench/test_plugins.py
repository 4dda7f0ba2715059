"""Methods of other packages: found when methods are looked up, and left alone when they fail."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CENTRED = """
from scpareto.bench import register_method

@register_method("{name}", family="linear", library="{package}", reference="")
def {function}(cells, *, strength=1.0):
    codes = cells.components.copy()
    for batch in cells.batches:
        rows = cells.rows(batch)
        codes[rows] -= strength * codes[rows].mean(axis=0)
    return codes
"""
PACKAGES = {
    # package: (code, value of its entry point)
    "tiny_function": (CENTRED.format(name="tiny", package="tiny-function", function="tiny"), "tiny_function:tiny"),
    "tiny_module": (CENTRED.format(name="tiny2", package="tiny-module", function="other"), "tiny_module"),
    "tiny_broken": ("import no_such_library", "tiny_broken"),
    "tiny_taken": (CENTRED.format(name="combat", package="tiny-taken", function="combat"), "tiny_taken:combat"),
    "tiny_nothing": ("def run(cells): ...", "tiny_nothing:run"),
}
SCRIPT = """
import re, sys, warnings
import numpy as np
from typer.testing import CliRunner
import scpareto as sp
from scpareto.cli import app

assert not [name for name in sys.modules if name.startswith("tiny_")]
sp.datasets.simulate_batches(80, 30, n_batches=2, seed=0).write_h5ad("cells.h5ad")
run = CliRunner().invoke(app, ["compare", "cells.h5ad", "--batch-key", "batch", "--methods", "tiny", "-o", "out"])
assert run.exit_code == 0, run.output
said = " ".join(run.output.split())
for text in (
    "The package 'tiny-broken' offers methods for scpareto.bench by its entry point 'mine', tiny_broken, which fails: "
    "ModuleNotFoundError: No module named 'no_such_library'.",
    "The package 'tiny-taken' offers methods for scpareto.bench by its entry point 'mine', tiny_taken:combat, which "
    "fails: ValueError: method='combat' is taken by scpareto.bench._methods._combat.combat: tiny_taken.combat needs "
    "another name.",
    "'tiny-nothing' offers methods for scpareto.bench by its entry point 'mine', tiny_nothing:run, which fails: it "
    "registers no method; decorate a function by scpareto.bench.register_method.",
):
    assert text in said, (text, said)
assert said.count("The package") == 3

with warnings.catch_warnings():
    warnings.simplefilter("error")  # once is enough
    table = sp.bench.methods().set_index("name")
assert table.loc[["tiny", "tiny2", "combat"], "library"].tolist() == ["tiny-function", "tiny-module", "scanpy"]
adata = sp.datasets.simulate_batches(80, 30, n_batches=2, seed=0)
sp.bench.integrate(adata, "tiny", batch_key="batch", strength=1.0)
for rows in adata.obs.groupby("batch", observed=True).indices.values():
    np.testing.assert_allclose(adata.obsm["X_tiny"][rows].mean(axis=0), 0, atol=1e-9)
"""


@pytest.fixture
def installed(tmp_path):
    """Return a folder with packages as pip leaves them."""
    for package, (code, value) in PACKAGES.items():
        name = package.replace("_", "-")
        (tmp_path / f"{package}.py").write_text(code)
        facts = tmp_path / f"{package}-1.0.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (facts / "entry_points.txt").write_text(f"[scpareto.methods]\nmine = {value}\n")
    return tmp_path


def test_packages_add_their_methods_and_those_that_fail_are_named(installed):
    path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=installed,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
