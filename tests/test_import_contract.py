"""Imports point down, and rooms of one layer do not import each other (contracts in pyproject.toml)."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = {
    c["id"]: c for c in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}


@pytest.mark.parametrize("contract", CONTRACTS)
def test_contract_is_kept(contract):
    pytest.importorskip("importlinter")
    # A process of its own: the linter reconfigures logging.
    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
        + ["--config", str(ROOT / "pyproject.toml"), "--contract", contract, "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_room_has_a_door():
    """Each folder is protected by a contract of its own."""
    rooms = {path.parent.name.strip("_") for path in (ROOT / "src" / "scpareto").glob("*/__init__.py")}
    assert {f"door-{room}" for room in rooms} == {name for name in CONTRACTS if name.startswith("door-")}


def test_private_names_of_scvi_tools_come_through_one_door():
    """A release of scvi-tools that moves them is mended in one file."""
    private = re.compile(r"^\s*(from|import) scvi(\.\w+)*\._|^\s*from scvi(\.\w+)* import _", re.M)
    files = [path for path in (ROOT / "src").rglob("*.py") if private.search(path.read_text())]
    assert [path.name for path in files] == ["_scvi_compat.py"]


def test_no_file_is_long():
    files = (ROOT / "src" / "scpareto").rglob("*.py")
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: n for name, n in lengths.items() if n > 400} == {}
    assert statistics.median(lengths.values()) < 130


def test_every_room_has_a_layer():
    """A new folder or file right under src/scpareto is given its layer with its first line."""
    placed = {room.strip(" ()") for layer in CONTRACTS["layers"]["layers"] for room in layer.split("|")}
    package = ROOT / "src" / "scpareto"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    rooms |= {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    assert rooms <= placed, f"in no layer of [tool.importlinter]: {sorted(rooms - placed)}"
