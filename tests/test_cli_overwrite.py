"""What --overwrite leaves: the earlier results, until those of the new run are whole."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from scpareto.cli import app
from scpareto.datasets import simulate_batches


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "cells.h5ad"
    adata = simulate_batches(400, 80, n_batches=2, n_types=3, seed=0)
    adata.obsm["X_first"] = adata.X[:, :5].toarray()
    adata.write_h5ad(path)
    return path


FIT = ["--n-points", "4", "--n-top-genes", "0"]
COMMANDS = {
    "fit": (FIT, "scpareto.model.ParetoVI.train"),
    "demo": (["--n-points", "4"], "scpareto.model.ParetoVI.train"),
    "judge": (["--use-rep", "X_first"], "scpareto.tl.judge"),
    "compare": (["--methods", "pca", "--n-top-genes", "0"], "scpareto.bench.Benchmark.run"),
}


def invoke(command, data, output, *arguments):
    options, _ = COMMANDS[command]
    cells = [] if command == "demo" else [data, "--batch-key", "batch"]
    given = [command, *cells, *options, "--output", output, *arguments]
    return CliRunner().invoke(app, [str(argument) for argument in given])


def earlier(output, command):
    """Return the files of a run that is there already."""
    (output / "model").mkdir(parents=True)
    (output / "run.json").write_text(json.dumps({"arguments": {"command": command}}))
    (output / "model" / "model.pt").write_text("weeks of work")
    return tree(output)


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("error", "code"), [(RuntimeError("out of luck"), 1), (KeyboardInterrupt(), 130)])
def test_a_run_that_fails_leaves_the_earlier_results(data, tmp_path, monkeypatch, command, error, code):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(COMMANDS[command][1], fail)
    before = earlier(tmp_path / "out", command)
    result = invoke(command, data, tmp_path / "out", "--overwrite")
    assert result.exit_code == code, result.output
    told = " ".join(result.output.split())
    assert f"The earlier results in {tmp_path / 'out'} stay as they were." in told
    if code == 1:
        assert "(see unfinished/log.txt)" in told
    after = tree(tmp_path / "out")
    assert {name: kept for name, kept in after.items() if not name.startswith("unfinished/")} == before
    assert "unfinished/log.txt" in after


@pytest.mark.parametrize("command", ["fit", "judge"])
def test_what_is_refused_leaves_the_earlier_results_and_nothing_else(data, tmp_path, command):
    before = earlier(tmp_path / "out", command)
    wrong = {"fit": ["--layer", "none"], "judge": ["--use-rep", "X_second"]}[command]
    result = invoke(command, data, tmp_path / "out", "--overwrite", *wrong)
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
    assert tree(tmp_path / "out") == before


def test_a_full_disk_leaves_the_earlier_results(data, tmp_path, monkeypatch):
    def full(path, *args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scpareto.cli._judge_report.write_report", full)
    before = earlier(tmp_path / "out", "judge")
    result = invoke("judge", data, tmp_path / "out", "--overwrite")
    assert result.exit_code == 1
    assert "Results are in" not in result.output
    assert before.items() <= tree(tmp_path / "out").items()


def test_a_run_that_is_finished_replaces_all_of_the_earlier_one(data, tmp_path):
    assert invoke("judge", data, tmp_path / "new").exit_code == 0
    earlier(tmp_path / "out", "judge")
    result = invoke("judge", data, tmp_path / "out", "--overwrite")
    assert result.exit_code == 0, result.output
    assert tree(tmp_path / "out").keys() == tree(tmp_path / "new").keys()
    assert not (tmp_path / "out" / "model").exists()
    assert (tmp_path / "out" / "judge.csv").read_bytes() == (tmp_path / "new" / "judge.csv").read_bytes()


def test_an_interrupted_run_that_overwrites_is_resumed_and_replaces_the_earlier_one(data, tmp_path, monkeypatch):
    out = tmp_path / "out"
    before = earlier(out, "compare")
    with monkeypatch.context() as patch:
        patch.setattr("scpareto.cli._compare._draw", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        assert invoke("compare", data, out, "--overwrite").exit_code == 130
    finished = (out / "unfinished" / "benchmark.csv").read_bytes()
    assert before.items() <= tree(out).items()
    result = invoke("compare", data, out, "--resume")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["benchmark.csv", "benchmark.png", "log.txt", "run.json"]
    assert (out / "benchmark.csv").read_bytes() == finished


def test_results_of_another_command_and_the_data_are_not_overwritten(data, tmp_path):
    out = tmp_path / "out"
    before = earlier(out, "fit")
    result = invoke("judge", data, out, "--overwrite")
    assert result.exit_code == 2
    assert "holds a run of 'scpareto fit', which 'scpareto judge --overwrite' will not replace" in " ".join(
        result.output.split()
    )
    assert tree(out) == before
    shutil.copy(data, out / "adata.h5ad")
    result = invoke("fit", out / "adata.h5ad", out, "--overwrite")
    assert result.exit_code == 2
    assert "which --overwrite empties" in " ".join(result.output.split())
    assert (out / "adata.h5ad").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_terminal_that_takes_nothing_ends_no_work():
    script = (
        "from scpareto.cli._run_folder import console, report_errors\n"
        "with report_errors():\n"
        "    console.print('α' * 9000)\n"
        "    print('more', flush=True)\n"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    with open("/dev/full", "w") as full:
        assert subprocess.run([sys.executable, "-c", script], stdout=full, env=environment).returncode == 0


def test_a_page_is_not_written_over_other_files(tmp_path):
    earlier(tmp_path / "out", "fit")
    result = CliRunner().invoke(app, ["explore", str(tmp_path / "out"), "--output", str(tmp_path / "out" / "run.json")])
    assert result.exit_code == 2
    assert "is no .html page" in " ".join(result.output.split())
