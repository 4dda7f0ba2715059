"""The entry of the ecosystem's list says what the package says of itself, in the words of the list."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")
REPOSITORY = Path(__file__).parents[2]
META = yaml.safe_load((REPOSITORY / "docs" / "meta.yaml").read_text())
CITATION = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
REQUIRED = {"category", "contact", "description", "documentation_home", "install", "language", "license", "name"}
REQUIRED |= {"primary_category", "project_home", "tags"}
OPTIONAL = {"inventory", "logo", "publications", "test_command", "tutorials_home"}
# Terms of the list's vocabulary that other integrators are filed under.
CATEGORIES = {"scRNA-seq", "Data structures"}
TAGS = {"GPU acceleration", "data integration", "deep learning", "dimensionality reduction", "probabilistic modeling"}


def test_the_entry_has_the_fields_of_the_list_and_its_words():
    assert set(META) >= REQUIRED
    assert set(META) <= REQUIRED | OPTIONAL, "a version is not written down: the list derives it from PyPI"
    assert META["primary_category"] in CATEGORIES
    assert set(META["tags"]) <= TAGS
    assert len(META["tags"]) == len(set(META["tags"])) > 0
    assert META["category"] == "ecosystem"
    assert all(re.fullmatch(r"[A-Za-z0-9-]+", name) for name in META["contact"])


def test_entry_package_and_citation_agree():
    assert META["name"] == META["install"]["pypi"] == PROJECT["name"]
    assert META["license"] == CITATION["license"] == PROJECT["license"]
    assert META["project_home"] == CITATION["repository-code"] == PROJECT["urls"]["Homepage"]
    assert META["documentation_home"] == CITATION["url"] == PROJECT["urls"]["Documentation"]
    assert str(CITATION["version"]) == PROJECT["version"]
