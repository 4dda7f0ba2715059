"""The site shows the notebooks of ``tutorials/``, with links that hold both there and on GitHub."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "tutorials").glob("*.ipynb"))
LINK = re.compile(r"\]\((\.\./[^)#]+)")


@pytest.fixture(scope="module")
def copy_tutorials():
    spec = importlib.util.spec_from_file_location("copy_tutorials", ROOT / "docs" / "copy_tutorials.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.copy_tutorials


def test_notebooks_are_copied_and_those_that_left_are_removed(copy_tutorials, tmp_path):
    (tmp_path / "left.ipynb").write_text("{}")
    (tmp_path / "index.md").write_text("# Tutorials")
    copied = copy_tutorials(ROOT / "tutorials", tmp_path)
    assert [path.name for path in copied] == [path.name for path in TUTORIALS]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["index.md", *(p.name for p in TUTORIALS)])
    before = [path.stat().st_mtime_ns for path in copied]
    assert [path.stat().st_mtime_ns for path in copy_tutorials(ROOT / "tutorials", tmp_path)] == before


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_links_hold_beside_the_docs_and_among_their_pages(copy_tutorials, path, tmp_path):
    links = LINK.findall(path.read_text())
    assert all((path.parent / link).is_file() for link in links), links
    copied = {page.name: page for page in copy_tutorials(path.parent, tmp_path)}[path.name].read_text()
    assert all((ROOT / "docs" / "tutorials" / link).is_file() for link in LINK.findall(copied))
    assert len(LINK.findall(copied)) == len(links)


def test_the_index_names_every_tutorial():
    index = (ROOT / "docs" / "tutorials" / "index.md").read_text().splitlines()
    assert {path.stem for path in TUTORIALS} <= set(index)
