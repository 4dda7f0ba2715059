"""Names of the package that README and the docs mention exist: a renamed function would leave a page that misleads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import scpareto as sp

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "docs" / "llms.txt"]
INHERITED_FROM_SCVI_1_5 = {"model.ParetoVI.setup_annbatch"}
WRITTEN = [page for page in PAGES if not {"generated", "_build", "results"} & set(page.parts)]


def names_in(text: str) -> set[str]:
    """All dotted names that begin with ``sp.``, such as ``tl.judge``."""
    return {name.rstrip(".") for name in re.findall(r"(?<![\w./])sp\.([A-Za-z_][\w.]*)", text)}


def exists(name: str) -> bool:
    """Whether the package has the attribute of a dotted name."""
    holder = sp
    for part in name.split("."):
        if not hasattr(holder, part):
            return False
        holder = getattr(holder, part)
    return True


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_exists(page):
    names = names_in(page.read_text()) - INHERITED_FROM_SCVI_1_5
    assert [name for name in sorted(names) if not exists(name)] == []


def test_a_name_that_does_not_exist_is_seen():
    assert names_in("call `sp.tl.judge(adata)`, then sp.tl.jury. See grasp.tl.") == {"tl.judge", "tl.jury"}
    assert exists("tl.judge")
    assert not exists("tl.jury")
