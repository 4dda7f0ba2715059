# Everything runs in .venv, which the first target that needs it creates. `make help` lists the targets.

# The first Python on the path that is at least 3.11 and can create virtual environments; PYTHON=... chooses another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# The versions that are tested on this Python: scvi-tools 1.4 on 3.11, the newest releases of everything from 3.12 on.
CONSTRAINTS ?= $(shell $(PYTHON) -c 'import sys; print("constraints/" + ("python3.11" if sys.version_info < (3, 12) else "latest") + ".txt")')
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS)
# Two test processes with one thread each: together they use two cores. WORKERS=0 runs the tests in one process.
WORKERS ?= 2
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo test coverage lint format typecheck docs explorer-ui build clean test-peers
.PHONY: check-build install-latest test-latest test-lowest test-compat test-slow

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- environment ---------------------------------------------------------------------------------------------------

# pip 25.1 is the first that reads dependency groups. torch comes first and alone, so that pip takes the CPU build where
# one is offered.
$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	@test -n "$(PYTHON)" || { echo "scpareto needs Python 3.11 or newer with the venv module (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	@echo "installing scpareto into $(VENV) (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(PIP) torch
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing the tools for tests, lint and types"
	@$(PIP) --editable ".[autotune,bench,deseq2,harmony,hub,ray,solvers]" --group dev
	@touch $@

$(VENV)/.installed-doc: $(VENV)/.installed
	@echo "installing the tools for the docs"
	@$(PIP) --group doc
	@touch $@

install: $(VENV)/.installed ## create .venv and install scpareto

install-dev: $(VENV)/.installed-dev ## the same, with all that tests, lint and types need

# --- what a user runs ----------------------------------------------------------------------------------------------

demo: $(VENV)/.installed ## learn a first Pareto front on simulated cells; results in demo-output/
	$(BIN)/scpareto demo --output demo-output --overwrite

test: $(VENV)/.installed-dev ## run the tests and the docstring examples
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

# --- what a developer runs -----------------------------------------------------------------------------------------

coverage: $(VENV)/.installed-dev ## the same, with the lines that no test reaches
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov --cov-report=term $(PYTEST_ARGS)

# Minutes each: pages that every reader runs, and several processes.
test-slow: ## the slow tests of pages and of several processes
	$(MAKE) test PYTEST_ARGS="-m slow tests/docs/test_readme_snippets.py tests/docs/test_tutorials.py tests/front/test_ray.py tests/test_cli_together.py"

# Other releases, each in an environment of its own.
NEWEST ?= $(shell for p in python3.13 python3.12 $$(ls -rd "$$(pyenv root 2>/dev/null)"/versions/3.1[23]*/bin/python 2>/dev/null); do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 && echo $$p && break; done)

LATEST := VENV=.venv-latest PYTHON=$(NEWEST) CONSTRAINTS=constraints/latest.txt
LOWEST := VENV=.venv-lowest PYTHON=python3.11 CONSTRAINTS=constraints/lowest.txt

install-latest: ## .venv-latest, with the newest releases (needs Python 3.12 or newer)
	@test -n "$(NEWEST)" || { echo "no Python 3.12 or newer was found"; exit 1; }
	$(MAKE) install-dev $(LATEST)

test-latest: install-latest ## the tests with the newest releases
	$(MAKE) test $(LATEST)

test-compat: install-latest ## every model from set-up to judgement, with the newest releases
	$(MAKE) test $(LATEST) PYTEST_ARGS="-m compat tests/model/test_every_model.py tests/model/test_releases.py tests/front/test_families.py tests/test_cli_judge.py"

test-lowest: ## the tests with the oldest releases that pyproject.toml promises (needs Python 3.11)
	$(MAKE) test $(LOWEST)

# Fetches the source distribution of the installed scvi-tools; its tests are not part of this repository.
test-peers: $(VENV)/.installed-dev ## scvi-tools' own tests of SCVI with ParetoVI in its place (20 minutes)
	$(ONE_THREAD) $(BIN)/python tests/peers/compare.py

lint: $(VENV)/.installed-dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: $(VENV)/.installed-dev ## mypy
	$(BIN)/mypy

# -E: read everything again, since a page follows docstrings and tables that Sphinx does not watch.
docs: $(VENV)/.installed-doc ## build the site into docs/_build/html; warnings are errors
	@rm -rf docs/generated docs/_build # pages of names that are gone would be warnings
	$(BIN)/sphinx-build -E -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

# The bundle is committed, so that nobody needs Node.js to install or test; this writes it anew from explorer-ui/.
explorer-ui: ## the explorer's bundle and its licences, from TypeScript (needs Node.js 20)
	cd explorer-ui && npm ci --ignore-scripts && npm run build

build: $(VENV)/.installed-dev ## sdist and wheel into dist/, checked by twine
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

# Installed beside the libraries of .venv, of which the repository itself is no part: the wheel is made from the sdist.
check-build: build ## the wheel in an environment of its own: whole, and under 2 MB
	rm -rf .venv-wheel && $(BIN)/python -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet --disable-pip-version-check --no-deps dist/*.whl
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(.venv-wheel/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/libraries.pth"
	.venv-wheel/bin/python tests/check_installed.py
	test "$$(stat -c %s dist/*.whl)" -lt 2000000
	rm -rf .venv-wheel

clean: ## remove what was built (.venv stays)
	rm -rf build dist demo-output docs/_build docs/generated docs/tutorials/*.ipynb lightning_logs scvi_log .coverage .coverage.* htmlcov
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find src tests docs benchmarks experiments -name __pycache__ -type d -prune -exec rm -rf {} +
