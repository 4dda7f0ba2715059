"""README's snippets run as they are written, one after the other, on what stands before them."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scpareto.cli import app
from scpareto.front import _options
from scpareto.model import BetaTCVAE, MichiGAN, ScInfoVAE
from scpareto.objectives import CriticSchedule

README = (Path(__file__).parents[2] / "README.md").read_text()
COMMAND = ".venv/bin/scpareto "
# Seventeen methods take minutes: two of them stand for all.
SHORTENED = {"compare": ["--methods", "pca,combat"]}


@pytest.fixture
def short_trainings(monkeypatch):
    """The default lengths of trainings, all in this place; nothing else of a snippet is changed."""
    defaults = _options.PRESETS[None]
    critics = CriticSchedule(max_epochs=5)
    recipe = replace(defaults.recipe, n_bootstrap=10, critic_warmup=critics, de_novo=critics)
    monkeypatch.setitem(_options.PRESETS, None, replace(defaults, recipe=recipe, max_epochs=40, max_epochs_pretrain=40))
    monkeypatch.setattr(ScInfoVAE.train, "__defaults__", (5, 3))
    monkeypatch.setattr(BetaTCVAE.train, "__defaults__", (2,))
    monkeypatch.setattr(MichiGAN.train, "__defaults__", (1,))


def snippets():
    """Language, text and line of every fenced block, in the order of the page."""
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE):
        yield found.group(1), found.group(2), README[: found.start()].count("\n") + 2


def test_there_are_no_snippets_of_other_languages():
    assert {language for language, _, _ in snippets()} == {"python", "bash"}


@pytest.mark.slow  # two minutes; .ci/run asks for it
def test_every_snippet_runs_on_what_stands_before_it(tmp_path, monkeypatch, short_trainings):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    n_run = 0
    for language, text, line in snippets():
        if language == "python":
            # Blank lines before, so that an error names the line of the page.
            exec(compile("\n" * (line - 1) + text, "README.md", "exec"), names)
            n_run += 1
        for command in text.splitlines() if language == "bash" else ():
            if not command.startswith(COMMAND):
                continue  # git and make
            arguments = shlex.split(command.removeprefix(COMMAND))
            result = CliRunner().invoke(app, arguments + SHORTENED.get(arguments[0], []))
            assert result.exit_code == 0, f"README.md, line {line}: {result.output}"
            n_run += 1
    assert n_run >= 7
    written = ("judged/report.html", "results/front.csv", "front.html", "paretovi/model.pt", "compared/benchmark.csv")
    assert not [name for name in written if not (tmp_path / name).exists()]
    assert names["model"].front is not None
    assert {"X_paretovi", "X_combat"} <= set(names["adata"].obsm)
