"""What takes seconds to import is imported when it is used."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import version

import pytest

import scpareto
from scpareto import _runtime

SLOW = ("torch", "scvi", "lightning", "scanpy", "anndata", "pandas", "numba", "matplotlib")


def loaded(statement):
    """Return which of the slow packages a fresh Python has after a statement."""
    code = f"import sys; {statement}; print(*[name for name in {SLOW} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("statement", ["import scpareto", "import scpareto.cli"])
def test_neither_the_package_nor_its_command_line_loads_what_is_slow(statement):
    assert loaded(statement) == []


def test_rooms_are_there_when_they_are_asked_for():
    assert "torch" in loaded("import scpareto as sp; sp.model.ParetoVI; sp.fit_front; sp.front.refine_point")
    for name in scpareto.__all__:
        assert name in dir(scpareto)
        assert getattr(scpareto, name) is not None
    with pytest.raises(AttributeError, match="module 'scpareto' has no attribute 'models'"):
        scpareto.models  # noqa: B018
    assert importlib.import_module("scpareto.model") is scpareto.model


def test_every_name_of_the_runtime_is_found():
    for name in _runtime.__all__:
        assert getattr(_runtime, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'threads'"):
        _runtime.threads  # noqa: B018


def test_the_command_line_tells_its_version():
    told = subprocess.run(
        [sys.executable, "-m", "scpareto.cli", "--version"], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["scpareto", version("scpareto")]
