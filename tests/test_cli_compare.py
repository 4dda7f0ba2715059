"""The command that compares methods: what lands in the folder, what is said, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import anndata
import pandas as pd
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from scpareto._cells import _validate
from scpareto.bench import register_method
from scpareto.bench._registry import _METHODS
from scpareto.cli import app
from scpareto.datasets import simulate_batches

OPTIONS = ["--batch-key", "batch", "--labels-key", "cell_type", "--n-top-genes", "0"]


@pytest.fixture(scope="module", autouse=True)
def a_broken_method():
    @register_method("broken", family="linear", library="none", reference="none")
    def broken(cells):
        raise MemoryError("[too] many cells")

    yield
    del _METHODS["broken"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "cells.h5ad"
    simulate_batches(240, 60, n_batches=2, n_types=3, seed=0).write_h5ad(path)
    return path


@pytest.fixture
def no_scib(monkeypatch):
    """Leave scib-metrics out, which compiles."""
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "scib_metrics" else real(name))


def half_written(monkeypatch, owner, name):
    """Let a way of writing fill the disk after half of the file."""

    def write(self, file, *arguments, **options):
        Path(file).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(owner, name, write)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def said(result):
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def test_one_folder_with_table_and_picture_and_failures_by_name(data, tmp_path, no_scib):
    output = tmp_path / "results"
    arguments = ["compare", data, *OPTIONS, "--methods", "pca,broken", "--methods", "mnn", "--seeds", "2", "-o", output]
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in output.iterdir()) == ["benchmark.csv", "benchmark.png", "log.txt", "run.json"]
    table = pd.read_csv(output / "benchmark.csv")
    assert table[["method", "seed", "status"]].values.tolist() == [
        ["pca", 0, "finished"],
        ["broken", 0, "failed"],
        ["mnn", 0, "finished"],
        ["pca", 1, "finished"],
        ["broken", 1, "failed"],
        ["mnn", 1, "finished"],
    ]
    text = said(result)
    assert "scib-metrics is not installed" in text
    assert "broken failed: MemoryError: [too] many cells" in text
    assert json.loads((output / "run.json").read_text())["arguments"]["methods"] == ["pca", "broken", "mnn"]

    again = invoke(*arguments)
    assert again.exit_code == 2
    assert "is not empty" in said(again)
    resumed = invoke(*arguments, "--resume")
    assert resumed.exit_code == 0
    kept = pd.read_csv(output / "benchmark.csv").query("status == 'finished'")
    before = table.query("status == 'finished'")
    assert kept["seconds"].tolist() == before["seconds"].tolist()


def test_exit_codes(data, tmp_path, no_scib):
    for changed, reason in (
        (["--methods", "umap"], "method='umap' is unknown"),
        (["--methods", "pca", "--labels-key", "lineages"], "'lineages' is not in adata.obs"),
    ):
        result = invoke("compare", data, *OPTIONS, *changed, "-o", tmp_path / "refused")
        assert result.exit_code == 2, result.output
        assert reason in said(result)
        assert not (tmp_path / "refused").exists()
    missing = invoke("compare", tmp_path / "no.h5ad", *OPTIONS, "-o", tmp_path / "refused")
    assert missing.exit_code == 2
    failed = invoke("compare", data, *OPTIONS, "--methods", "broken", "-o", tmp_path / "failed")
    assert failed.exit_code == 1
    assert "no method has finished" in said(failed)


def test_epochs_reach_the_methods_that_train(data, tmp_path, no_scib, monkeypatch):
    seen = {}

    class Spy:
        def __init__(self, adata, **arguments):
            seen.update(arguments)
            raise ValueError("seen enough")

    monkeypatch.setattr("scpareto.bench.Benchmark", Spy)
    invoke("compare", data, *OPTIONS, "--max-epochs", "9", "--methods", "pca,scvi,paretovi", "-o", tmp_path / "x")
    assert seen["options"] == {
        "scvi": {"max_epochs": 9},
        "paretovi": {"n_points": 12, "max_epochs": 13, "max_epochs_pretrain": 9},
    }


def test_counts_are_checked_once_and_what_there_is_to_warn_of_is_said_once(data, tmp_path, no_scib, monkeypatch):
    checked = []
    real = _validate.check_counts
    monkeypatch.setattr(_validate, "check_counts", lambda *arguments: checked.append(1) or real(*arguments))
    adata = anndata.read_h5ad(data)
    adata.X[adata.X == 1] = 1.5
    adata.write_h5ad(tmp_path / "fractional.h5ad")
    arguments = [*OPTIONS[:-1], "30", "--methods", "pca", "--seeds", "2", "-o", tmp_path / "results"]
    result = invoke("compare", tmp_path / "fractional.h5ad", *arguments)
    assert result.exit_code == 0, result.output
    assert len(checked) == 1
    assert said(result).count("holds fractional values") == 1
    assert "holds fractional values" in (tmp_path / "results" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("owner", "name", "written"), [(pd.DataFrame, "to_csv", "benchmark.csv"), (Figure, "savefig", "benchmark.png")]
)
def test_a_full_disk_leaves_the_previous_file(data, tmp_path, no_scib, monkeypatch, owner, name, written):
    output = tmp_path / "results"
    arguments = ["compare", data, *OPTIONS, "--methods", "pca,broken", "-o", output]
    assert invoke(*arguments).exit_code == 0
    before = (output / written).read_bytes()
    half_written(monkeypatch, owner, name)
    result = invoke(*arguments, "--resume")
    assert result.exit_code == 1
    assert "could not be written (No space left on device); what was there before stays" in said(result)
    assert (output / written).read_bytes() == before
    assert not [path for path in output.iterdir() if "unfinished" in path.name]
