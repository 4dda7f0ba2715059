"""Every tutorial runs from top to bottom, offline, and is kept with its figures."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TUTORIALS = sorted((Path(__file__).parents[2] / "tutorials").glob("*.ipynb"))


@pytest.mark.slow  # five minutes; .ci/run asks for it
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_runs_from_top_to_bottom(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises CellExecutionError with the traceback of a cell that fails
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_figures_are_kept_and_no_path_of_a_machine(path):
    outputs = [out for cell in nbformat.read(path, as_version=4).cells for out in cell.get("outputs", [])]
    assert any("image/png" in out.get("data", {}) for out in outputs)
    text = path.read_text()
    assert not [folder for folder in ("/home/", "/tmp/") if folder in text]
