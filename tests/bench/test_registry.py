"""Names of methods: which functions may have them, and what is called ``methods``."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pandas as pd
import pytest

import scpareto as sp


def test_methods_is_the_function_however_it_is_reached():
    """The folder of the methods has another name, so that no import puts a module in the place of the function."""
    from scpareto.bench import methods

    for module in ("scpareto.bench", "scpareto.bench._methods", "scpareto.bench._methods._desc._model"):
        importlib.import_module(module)
        assert sp.bench.methods is methods
    assert isinstance(methods(), pd.DataFrame)
    first = "import scpareto.bench._methods._scvi; from scpareto.bench import methods; assert methods.__name__"
    assert subprocess.run([sys.executable, "-c", first], check=False).returncode == 0


def test_a_name_that_is_taken_is_refused(register_method):
    with pytest.raises(
        ValueError, match=r"'combat' is taken by scpareto\.bench\._methods\._combat\.combat: .*mine needs"
    ):

        @register_method("combat")
        def mine(cells): ...

    assert sp.bench.get_method("combat").library == "scanpy"


def test_a_cell_of_a_notebook_may_be_run_twice(register_method):
    for title in ("First", "Second"):

        @register_method("again", title=title)
        def again(cells): ...

    assert sp.bench.get_method("again").title == "Second"


def test_every_method_of_this_package_has_a_title():
    known = (sp.bench.get_method(name) for name in sp.bench.methods()["name"])
    ours = [method for method in known if method.run.__module__.startswith("scpareto.bench._methods.")]
    assert len(ours) > 10
    assert all(method.title for method in ours)


def test_a_library_without_an_extra_is_named_by_itself(register_method):
    @register_method("lonely", library="lonely-tools", requires="no_such_module")
    def lonely(cells): ...

    with pytest.raises(ImportError, match="needs lonely-tools: pip install lonely-tools"):
        sp.bench.get_method("lonely").check_installed()
