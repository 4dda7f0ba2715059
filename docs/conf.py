"""Sphinx configuration. The site builds offline; links into other projects' docs are added when they can be reached."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from copy_tutorials import copy_tutorials  # noqa: E402 - lies next to this file
from list_public_names import write_pages  # noqa: E402
from render_guide_tables import render_guide_tables  # noqa: E402
from render_results import render  # noqa: E402

project = "scpareto"
author = "The scpareto developers"
copyright = "2026, The scpareto developers"
release = installed_version("scpareto")
version = release

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**.ipynb_checkpoints", "Thumbs.db"]

# --- text
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"

# --- docstrings
autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_rtype = True

# --- look
html_theme = "sphinx_book_theme"
html_title = "scpareto"
html_static_path = ["_static"]
html_extra_path = ["llms.txt"]  # for assistants that write code with this package: https://llmstxt.org
html_theme_options = {
    "repository_url": "https://github.com/scpareto/scpareto",
    "use_repository_button": True,
    "use_issues_button": True,
    "path_to_docs": "docs",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# --- links into other docs, only when online: a warning about an unreachable inventory would fail an offline build
OTHER_DOCS = {
    "anndata": "https://anndata.readthedocs.io/en/stable/",
    "lightning": "https://lightning.ai/docs/pytorch/stable/",
    "numpy": "https://numpy.org/doc/stable/",
    "pandas": "https://pandas.pydata.org/docs/",
    "python": "https://docs.python.org/3/",
    "scanpy": "https://scanpy.readthedocs.io/en/stable/",
    "scvi": "https://docs.scvi-tools.org/en/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}


def reachable(address: str) -> bool:
    """Whether the inventory of another project's docs answers."""
    try:
        with urlopen(f"{address}objects.inv", timeout=5):
            return True
    except (URLError, TimeoutError, OSError):
        return False


if not os.environ.get("SCPARETO_DOCS_OFFLINE") and reachable(OTHER_DOCS["python"]):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {name: (address, None) for name, address in OTHER_DOCS.items() if reachable(address)}
    intersphinx_timeout = 10

copy_tutorials(HERE.parent / "tutorials", HERE / "tutorials")
write_pages(HERE / "generated" / "api")
render(HERE.parent / "experiments" / "results", HERE / "results")
render_guide_tables(HERE.parent, HERE / "generated" / "tables")
