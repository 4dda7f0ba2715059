"""The command line: what lands in the folder, what is said, and the exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import torch
from anndata import io
from lightning.pytorch.callbacks import Callback
from scipy import sparse
from typer.testing import CliRunner

from scpareto.cli import app
from scpareto.cli._data import keep_variable_genes
from scpareto.datasets import simulate_batches
from scpareto.front import _options
from scpareto.model import ParetoVI
from scpareto.objectives import CriticSchedule
from scpareto.train._recipe import Recipe

OUTPUTS = [
    "adata.h5ad",
    "audit.csv",
    "checkpoints",
    "front.csv",
    "front.png",
    "log.txt",
    "model",
    "run.json",
    "umap.png",
]
SHORT = ["--n-points", "4", "--max-epochs", "4", "--max-epochs-pretrain", "2", "--method", "pareto_mtl"]
OPTIONS = ["--batch-key", "batch", "--labels-key", "cell_type", "--n-top-genes", "0", "--objective", "mine", *SHORT]


@pytest.fixture(scope="module", autouse=True)
def short_critics():
    # The first parallel numba function of a process sets the number of OpenMP threads, and so PyTorch's.
    sc.pp.normalize_total(anndata.AnnData(sparse.csr_matrix(np.ones((4, 4), dtype=np.float32))))
    torch.set_num_threads(1)
    schedule = CriticSchedule(max_epochs=2)
    recipe = Recipe(n_bootstrap=5, critic_warmup=schedule, de_novo=schedule)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_options.PRESETS, None, replace(_options.PRESETS[None], recipe=recipe))
        yield


@pytest.fixture
def no_umap(monkeypatch):
    """Two dimensions of the codes for a UMAP, where the picture is not the point."""
    monkeypatch.setattr("scpareto.pl.embed", lambda codes, seed: {key: value[:, :2] for key, value in codes.items()})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "cells.h5ad"
    simulate_batches(240, 60, n_batches=2, n_types=3, seed=0).write_h5ad(path)
    return path


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """Return folder and result of one whole run, in a folder with a long and awkward name."""
    output = tmp_path_factory.mktemp("a_rather_long_folder_name_" + "x" * 60) / "results [a] of today"
    return output, invoke("fit", data, *OPTIONS, "--output", output)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def said(result):
    """Return what was printed, without the line breaks of the terminal."""
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def printed_lines(result):
    """Return the lines of code that are printed."""
    return "\n".join(line.strip() for line in result.output.splitlines() if line.startswith(("  import", "  model")))


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def interrupt_training(monkeypatch, epoch):
    """Press Ctrl-C at the end of an epoch, counted over all trainings."""

    class Interrupt(Callback):
        seen = 0

        def on_train_epoch_end(self, trainer, pl_module):
            self.seen += 1
            if self.seen == epoch:
                raise KeyboardInterrupt

    train = ParetoVI.train
    monkeypatch.setattr(ParetoVI, "train", lambda self, **kwargs: train(self, **kwargs, callbacks=[Interrupt()]))


def test_fit_leaves_everything_in_one_folder(finished, data):
    output, result = finished
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in output.iterdir()) == OUTPUTS
    for picture in ("front.png", "umap.png"):
        content = (output / picture).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) > 10_000
    log = (output / "log.txt").read_text()
    assert "finished" in log
    assert "ERROR" not in log
    record = json.loads((output / "run.json").read_text())
    assert record["arguments"]["seed"] == 0
    assert record["arguments"]["training"]["n_points"] == 4
    assert len(record["arguments"]["input_sha256"]) == 64
    assert {"scpareto", "scvi-tools", "torch", "python"} <= record["versions"].keys()


def test_tables_data_and_model_agree(finished, data):
    output, result = finished
    adata = anndata.read_h5ad(output / "adata.h5ad")
    model = ParetoVI.load(output / "model", adata)
    table = model.front.to_dataframe()
    written = pd.read_csv(output / "front.csv", float_precision="round_trip")
    assert list(written.columns) == list(table.columns)
    for column in table:
        assert written[column].tolist() == table[column].tolist(), column
    audit = pd.read_csv(output / "audit.csv", float_precision="round_trip")
    assert {"point", "batch_left", "structure_kept_high", "alarm", "leakage_mean"} <= set(audit)
    assert audit["batch_left"].tolist() == table["batch_left"].tolist()
    assert model.selected == model.front.recommended
    np.testing.assert_array_equal(adata.obsm["X_paretovi"], model.get_latent_representation())
    assert adata.obsm["X_umap"].shape == (240, 2)
    assert adata.uns["scpareto"]["paretovi"]["selected"] == model.selected
    before = anndata.read_h5ad(data)
    assert (adata.X != before.X).nnz == 0
    assert adata.X.dtype == before.X.dtype


def test_the_printed_table_speaks_percent(finished):
    output, result = finished
    front = ParetoVI.load(output / "model", anndata.read_h5ad(output / "adata.h5ad")).front
    rows = [line.split("│")[1:-1] for line in result.output.splitlines() if re.match(r"│ *\*? \d", line)]
    assert len(rows) == len(front) == 4
    for row, (_, point) in zip(rows, front.to_dataframe().iterrows(), strict=True):
        number, left, kept, alarm, marks = (cell.strip() for cell in row)
        assert number == ("*" if point["non_dominated"] else "") + f" {point['point']}".lstrip(
            "" if "*" in number else " "
        )
        assert left.startswith(f"{point['batch_left']:.0f} (")
        assert kept.startswith(f"{point['structure_kept']:.0f} (")
        assert (alarm == "-") == (point["alarm"] == 0)
        assert ("recommended" in marks) == (point["point"] == front.recommended)
    assert "nats" not in said(result), "those are in front.csv"
    assert front.explain().split(". ")[0] in said(result)
    left = front.to_dataframe()["batch_left"]
    assert (
        f"from {left.max():.0f} % to {left.min():.0f} % of the batch effect left: point 0 is the model alone"
        in said(result)
    )


def test_the_printed_lines_run_as_they_are(finished):
    output, result = finished
    code, value = printed_lines(result), re.search(r"batch_left=([\d.]+)", result.output).group(1)
    scope = {}
    exec(code, scope)
    front = scope["model"].front
    assert scope["model"].selected == front.resolve(batch_left=float(value)).number
    assert front.table["batch_left"].min() - 0.5 <= float(value) <= front.table["batch_left"].max() + 0.5
    assert scope["adata"].obsm["X_paretovi"].shape == (240, 10)
    assert str(output) in code


def test_the_same_arguments_give_the_same_front(finished, data, tmp_path, no_umap):
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path / "again")
    assert result.exit_code == 0
    assert (tmp_path / "again" / "front.csv").read_bytes() == (finished[0] / "front.csv").read_bytes()


def test_a_folder_that_is_not_empty_is_refused(data, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path)
    assert result.exit_code == 2
    assert "is not empty. Choose another --output, or use --resume or --overwrite" in said(result)
    for option, reason in (("--overwrite", "was not made by scpareto"), ("--resume", "run.json is missing")):
        result = invoke("fit", data, *OPTIONS, "--output", tmp_path, option)
        assert result.exit_code == 2
        assert reason in said(result)
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path, "--resume", "--overwrite")
    assert result.exit_code == 2
    assert "exclude each other" in said(result)
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path / "thesis.txt")
    assert result.exit_code == 2
    assert "is a file, not a folder" in said(result)
    assert tree(tmp_path) == {"thesis.txt": b"years of work"}


def test_overwrite_starts_afresh_in_a_folder_of_ours(data, tmp_path, no_umap):
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "old.txt").write_text("old")
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path, "--overwrite")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == OUTPUTS


def test_resume_refuses_other_arguments_and_other_input(finished, data, tmp_path):
    output, _ = finished
    before = tree(output)
    changes = {
        "seed: 0, now 3": [data, *OPTIONS, "--seed", "3"],
        "labels_key: 'cell_type', now 'lineage'": [data, *OPTIONS, "--labels-key", "lineage"],
        "'n_points': 6": [data, *OPTIONS, "--n-points", "6"],
    }
    other = anndata.read_h5ad(data)
    other.X.data[0] += 1
    other.write_h5ad(tmp_path / "other.h5ad")
    changes["input_sha256"] = [tmp_path / "other.h5ad", *OPTIONS]
    for change, arguments in changes.items():
        result = invoke("fit", *arguments, "--output", output, "--resume")
        assert result.exit_code == 2
        assert "--resume needs the arguments and input of the run" in said(result)
        assert change in said(result)
    assert tree(output) == before


@pytest.mark.parametrize("epoch", [1, 5, 9])
def test_an_interrupted_run_exits_130_and_resumes_to_the_same_front(
    finished, data, tmp_path, no_umap, monkeypatch, epoch
):
    with monkeypatch.context() as patch:
        interrupt_training(patch, epoch)
        result = invoke("fit", data, *OPTIONS, "--output", tmp_path)
    assert result.exit_code == 130
    assert "Interrupted. Finished points are kept; add --resume to go on." in said(result)
    assert "KeyboardInterrupt" in (tmp_path / "log.txt").read_text()
    kept = {path.stem for path in (tmp_path / "checkpoints").glob("*.pt")}
    assert (
        kept
        == {1: set(), 5: {"pretraining", "critics", "point_0"}, 9: {"pretraining", "critics", "point_0", "point_3"}}[
            epoch
        ]
    )
    assert not (tmp_path / "front.csv").exists()
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path)
    assert result.exit_code == 2, "without --resume the folder is not touched"
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path, "--resume")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "front.csv").read_bytes() == (finished[0] / "front.csv").read_bytes()


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal")
def test_ctrl_c_in_a_terminal(data, tmp_path):
    arguments = ["fit", data, *OPTIONS, "--max-epochs", "100000", "--output", tmp_path / "out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "scpareto.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        start_new_session=True,
        # A parent that ignores Ctrl-C, as a shell does for background jobs, would pass that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        deadline = time.monotonic() + 120
        # Not before: libraries that compile on their first call swallow an interruption that hits them then.
        while not (tmp_path / "out" / "checkpoints" / "critics.pt").exists():
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, output
    assert "add --resume to go on" in " ".join(output.split())
    assert "Traceback" not in output


def test_wrong_keys_and_files_exit_2_without_a_traceback(data, tmp_path):
    text = tmp_path / "text.h5ad"
    text.write_text("no cells here")
    options = ["--n-top-genes", "0", *SHORT]
    cases = {
        "batch_key='sample' is not in adata.obs. Available: 'batch', 'cell_type', 'lineage'": [
            *(data, "--batch-key", "sample"),
        ],
        "labels_key='type' is not in adata.obs. Available: 'batch', 'cell_type'": [
            *(data, "--batch-key", "batch", "--labels-key", "type"),
        ],
        "layer='counts' is not in adata.layers. Available: none": [data, "--batch-key", "batch", "--layer", "counts"],
        "preset='published' is unknown": [data, "--batch-key", "batch", "--preset", "published"],
        "n_points=3": [data, "--batch-key", "batch", "--n-points", "3"],
        "'nsga2'": [data, "--batch-key", "batch", "--method", "nsga2"],
        "no[a].h5ad does not exist": [tmp_path / "no[a].h5ad", "--batch-key", "batch"],
        "text.h5ad is not a readable .h5ad file": [text, "--batch-key", "batch"],
    }
    for i, (message, arguments) in enumerate(cases.items()):
        result = invoke("fit", arguments[0], *options, *arguments[1:], "--output", tmp_path / f"out{i}")
        assert result.exit_code == 2, message
        assert "Error:" in said(result)
        assert message in said(result)
        assert not (tmp_path / f"out{i}" / "front.csv").exists()
    assert invoke("fit", data, "--output", tmp_path / "none").exit_code == 2, "--batch-key is needed"


def test_bad_counts_exit_2(data, tmp_path):
    adata = anndata.read_h5ad(data)
    adata.X.data[-1] = -1
    adata.write_h5ad(tmp_path / "negative.h5ad")
    result = invoke("fit", tmp_path / "negative.h5ad", *OPTIONS, "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert "holds 1 values that are negative; the first is -1.0 in cell 'cell_239'" in said(result)


def test_a_failure_exits_1_and_leaves_its_traceback_in_the_log(data, tmp_path, monkeypatch):
    def fail(self, **kwargs):
        raise RuntimeError("out of luck [/]")

    monkeypatch.setattr(ParetoVI, "train", fail)
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert "Failed: out of luck [/]" in said(result)
    assert "Traceback" in (tmp_path / "out" / "log.txt").read_text()


def test_warnings_about_the_data_are_shown_once(data, tmp_path, no_umap):
    adata = anndata.read_h5ad(data)
    adata.X.data[-1] = 0.5
    adata.write_h5ad(tmp_path / "fractional.h5ad")
    result = invoke("fit", tmp_path / "fractional.h5ad", *OPTIONS, "--output", tmp_path / "out")
    assert result.exit_code == 0
    assert said(result).count("fractional values") == 1
    assert "fractional values" in (tmp_path / "out" / "log.txt").read_text()


def test_variable_genes_are_chosen_within_batches_and_said(tmp_path, no_umap):
    adata = simulate_batches(240, 60, n_batches=2, n_types=3, seed=0)
    # A gene that differs between the batches only is variable overall, but not within any.
    first = (adata.obs["batch"] == "batch_0").to_numpy()
    counts = adata.X.toarray()
    counts[:, 0] = np.where(first, 40, 0)
    adata.X = sparse.csr_matrix(counts)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    options = ["--batch-key", "batch", *SHORT, "--method", "scalarization"]
    result = invoke("fit", tmp_path / "cells.h5ad", *options, "--n-top-genes", "20", "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "Selected 20 of 60 genes that vary within batches (--n-top-genes)." in said(result)
    written = anndata.read_h5ad(tmp_path / "out" / "adata.h5ad")
    chosen = written.var["highly_variable"].to_numpy()
    normalised = adata.copy()
    sc.pp.normalize_total(normalised, target_sum=1e4)
    sc.pp.log1p(normalised)
    aware = sc.pp.highly_variable_genes(normalised, n_top_genes=20, batch_key="batch", inplace=False)
    blind = sc.pp.highly_variable_genes(normalised, n_top_genes=20, inplace=False)
    assert chosen.tolist() == aware["highly_variable"].tolist() != blind["highly_variable"].tolist()
    assert written.shape == (240, 60), "all genes stay"
    assert (written.X != adata.X).nnz == 0
    exec(printed_lines(result), scope := {})
    assert scope["model"].adata.n_vars == 20
    scope["model"].select(int(written.uns["scpareto"]["paretovi"]["selected"]))
    np.testing.assert_array_equal(scope["model"].get_latent_representation(), written.obsm["X_paretovi"])


def test_too_few_genes_for_a_cell_are_refused(tmp_path):
    counts = np.random.default_rng(0).poisson(3.0, (60, 30)).astype(np.float32)
    counts[7] = 0
    counts[7, 29] = 5
    counts[:, 29] = 5
    obs = pd.DataFrame({"batch": ["a", "b"] * 30}, index=[f"c{i}" for i in range(60)])
    anndata.AnnData(sparse.csr_matrix(counts), obs=obs).write_h5ad(tmp_path / "cells.h5ad")
    options = ["--batch-key", "batch", *SHORT, "--n-top-genes", "3"]
    result = invoke("fit", tmp_path / "cells.h5ad", *options, "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert "1 cells have no counts in the selected genes. Raise --n-top-genes" in said(result)


def test_demo_needs_nothing(tmp_path, monkeypatch, no_umap):
    train, given = ParetoVI.train, {}

    def train_shortly(self, **kwargs):
        given.update(kwargs, shape=self.adata.shape, types=self.adata.obs["cell_type"].nunique())
        train(self, **kwargs | {"max_epochs": 2, "max_epochs_pretrain": 1})

    monkeypatch.setattr(ParetoVI, "train", train_shortly)
    result = invoke("demo", "--output", tmp_path / "demo", "--n-points", "4")
    assert result.exit_code == 0, result.output
    assert (given["shape"], given["types"]) == ((2000, 500), 6)
    assert (given["n_points"], given["method"], given["objective"]) == (4, "conditional", "classifier")
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == OUTPUTS
    table = pd.read_csv(tmp_path / "demo" / "front.csv")
    assert table["point"].tolist() == [0, 1, 2, 3]
    assert "Simulating 2,000 cells x 500 genes: 3 batches, 6 cell types" in said(result)
    assert invoke("demo", "--output", tmp_path / "demo").exit_code == 2


def test_explore_writes_one_page_from_a_finished_run(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "scpareto.pl._explorer._cells.embed", lambda codes, **kwargs: {point: z[:, :2] for point, z in codes.items()}
    )
    output, _ = finished
    page = tmp_path / "page [a].html"
    result = invoke("explore", output, "--output", page, "--color", "lineage", "--genes", "gene_1, gene_2")
    assert result.exit_code == 0, result.output
    assert f"Open {page} in a browser" in said(result)
    header = json.loads(re.search(r'id="scpareto-explorer-header">(.*?)</script>', page.read_text()).group(1))
    names = [coloring["name"] for coloring in header["colorings"]]
    assert names == ["batch", "cell_type", "lineage", "gene_1", "gene_2"]
    assert [point["number"] for point in header["points"]] == [0, 1, 2, 3]
    model = ParetoVI.load(output / "model", anndata.read_h5ad(output / "adata.h5ad"))
    assert header["points"][header["selected"]]["number"] == model.selected


def test_explore_refuses_other_folders_and_unknown_names(finished, tmp_path):
    result = invoke("explore", tmp_path)
    assert result.exit_code == 2
    assert "holds no finished run: run.json, adata.h5ad, model missing." in said(result)
    result = invoke("explore", finished[0], "--output", tmp_path / "front.html", "--genes", "gene_x")
    assert result.exit_code == 2
    assert "genes: 'gene_x' is not among the 60 names" in said(result)
    assert not list(tmp_path.iterdir())


def test_audit_adds_columns_to_a_finished_run(finished, tmp_path):
    pytest.importorskip("scib_metrics")
    output = tmp_path / "results"
    shutil.copytree(finished[0], output)
    result = invoke("audit", output, "--control-genes", "gene_1,gene_2")
    assert result.exit_code == 0, result.output
    assert re.search(r"Point \d of 4: [-\d.]+ % \(95 % interval", said(result))
    for gene in ("gene_1", "gene_2"):
        told = rf"Control gene {gene}: pattern kept (?:[-\d]+ %|unknown) at the recommended point \d"
        assert re.search(told, said(result))
    written = pd.read_csv(output / "audit.csv", float_precision="round_trip")
    assert {"batch_left", "alarm", "leakage_sample", "retention", "nmi", "scib_total"} <= set(written)
    model = ParetoVI.load(output / "model", anndata.read_h5ad(output / "adata.h5ad"))
    assert model.front.to_dataframe()["scib_total"].tolist() == written["scib_total"].tolist()
    refused = invoke("audit", output, "--control-genes", "XIST")
    assert refused.exit_code == 2
    assert "'XIST' is not among the 60 genes" in said(refused)


def test_audit_prints_scores_and_redraws_the_pictures(finished, tmp_path, no_umap):
    output = tmp_path / "results"
    shutil.copytree(finished[0], output)
    for name in ("front.png", "umap.png"):
        (output / name).write_bytes(b"stale")
    result = invoke("audit", output)
    assert result.exit_code == 0, result.output
    assert {"bio", "batch", "total"} <= set(re.findall(r"\w+", result.output.split("selected")[0]))
    written = pd.read_csv(output / "audit.csv")
    assert f"{written['scib_total'][0]:.3f}" in result.output
    for name in ("front.png", "umap.png"):
        assert (output / name).read_bytes()[:4] == b"\x89PNG"


def test_control_genes_are_selected_in_any_case_and_judged(data, tmp_path, no_umap):
    output = tmp_path / "results"
    cells = anndata.read_h5ad(data)
    varies = keep_variable_genes(cells, {"batch_key": "batch", "layer": None, "n_top_genes": 40}).var_names
    rare = str(cells.var_names.difference(varies)[0])
    options = ["--batch-key", "batch", "--n-top-genes", "40", "--objective", "mine", *SHORT]
    result = invoke("fit", data, *options, "--control-genes", rare, "--output", output)
    assert result.exit_code == 0, result.output
    assert f"{rare} among them (--control-genes)" in said(result)
    assert f"Control gene {rare}: pattern kept" in said(result)
    kept = anndata.read_h5ad(output / "adata.h5ad")
    assert kept.var["highly_variable"][rare]
    model = ParetoVI.load(output / "model", kept[:, kept.var["highly_variable"]].copy())
    assert f"{rare}_kept" in model.front.to_dataframe()
    again = invoke("audit", output)
    assert f"Control gene {rare}: pattern kept" in said(again), "those of fit"
    refused = invoke("fit", data, *options, "--control-genes", "gene_1x", "--output", tmp_path / "other")
    assert refused.exit_code == 2
    assert "--control-genes: 'gene_1x' is not in adata.var_names; near names are 'gene_1" in said(refused)
    assert not (tmp_path / "other").exists()


def test_help_lists_the_commands():
    result = invoke("--help")
    assert result.exit_code == 0
    assert {"fit", "demo", "explore"} <= set(re.findall(r"\w+", result.output))


@pytest.mark.parametrize("column", ["integers", "booleans", "floats", "unused"])
def test_batches_of_every_type_have_variable_genes(tmp_path, column):
    adata = simulate_batches(120, 60, n_batches=2, n_types=3, seed=0)
    second = np.arange(120) % 2
    of_text = pd.Categorical(np.where(second, "a", "b"), categories=["a", "b", "none"])
    adata.obs["batch"] = {"integers": second, "booleans": second == 1, "floats": second + 0.5, "unused": of_text}[
        column
    ]
    arguments = {"n_top_genes": 20, "layer": None, "batch_key": "batch"}
    chosen = keep_variable_genes(adata, arguments)
    adata.obs["batch"] = np.where(second, "a", "b")
    assert chosen.var_names.tolist() == keep_variable_genes(adata, arguments).var_names.tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--n-points", "many"], "Invalid value for '--n-points'"),
        (["--no-such-option"], "No such option"),
        (["--n-points", "1"], "n_points=1: a front needs at least 4"),
        (["--batch-size", "0"], "batch_size=0 must be at least 1"),
        (["--max-epochs", "0"], "max_epochs=0 must be at least 1"),
        (["--seed", "1099511627776"], "seed=1099511627776 must be a whole number from 0 to 4294967295"),
        (["--objective", "loss"], "'loss'"),
        (["--accelerator", "abacus"], "accelerator='abacus' is not there. Choose one of 'auto'"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_no_folder(data, tmp_path, options, words):
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path / "out", *options)
    assert result.exit_code == 2
    (line,) = result.output.strip().splitlines()
    assert line.startswith("Error:")
    assert words in line
    assert not (tmp_path / "out").exists()


def test_files_that_cannot_be_read_or_written_are_refused(data, tmp_path, monkeypatch):
    newer = tmp_path / "newer.h5ad"
    shutil.copy(data, newer)
    with h5py.File(newer, "r+") as file:
        file["obs/batch"].attrs["encoding-type"] = "of-tomorrow"
    empty = tmp_path / "empty.h5ad"
    anndata.read_h5ad(data)[:0].copy().write_h5ad(empty)
    (tmp_path / "mine").write_text("mine")
    cases = {
        "newer.h5ad is not a readable .h5ad file: it was written by a newer anndata": (newer, tmp_path / "out"),
        "adata has no cells": (empty, tmp_path / "out"),
        f"{tmp_path} is a folder": (tmp_path, tmp_path / "out"),
        "is no folder that can be written to": (data, tmp_path / "mine" / "out"),
        "is too long a name": (data, tmp_path / ("x" * 300)),
    }
    for words, (path, output) in cases.items():
        result = invoke("fit", path, *OPTIONS, "--output", output)
        assert result.exit_code == 2, words
        assert words in said(result)
        assert len(result.output.strip().splitlines()) == 1
    monkeypatch.setattr("scpareto.cli._commands.read_h5ad", lambda path: spoilt(anndata.read_h5ad(path)))
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert "anndata cannot write adata.uns" in said(result)


def spoilt(adata):
    adata.uns["odd"] = object()
    return adata


def test_what_fails_after_training_is_no_wrong_argument_and_keeps_the_model(data, tmp_path, monkeypatch):
    def fail(*args):
        raise ValueError("no picture")

    monkeypatch.setattr("scpareto.cli._commands.draw_results", fail)
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert "Failed: no picture (see log.txt). Finished parts are kept; add --resume to go on." in said(result)
    assert ParetoVI.load(tmp_path / "out" / "model", anndata.read_h5ad(data)).front is not None


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGUSR1", 138)])
def test_signals_of_schedulers_end_a_run_that_goes_on_later(data, tmp_path, monkeypatch, name, code):
    train = ParetoVI.train

    class Stop(Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            os.kill(os.getpid(), getattr(signal, name))

    monkeypatch.setattr(ParetoVI, "train", lambda self, **kwargs: train(self, **kwargs, callbacks=[Stop()]))
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path / "out")
    assert result.exit_code == code
    assert f"Interrupted by {name}. Finished points are kept; add --resume to go on." in said(result)


def test_a_full_disk_under_the_cells_keeps_the_finished_points(data, tmp_path, monkeypatch, no_umap):
    write = io.write_elem

    def full(store, name, *arguments):
        if name == "/":
            raise OSError(28, "No space left on device")
        write(store, name, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr("anndata.io.write_elem", full)
        result = invoke("fit", data, *OPTIONS, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert said(result).count("Failed:") == 1
    assert "adata.h5ad could not be written (No space left on device)" in said(result)
    assert "--resume" in said(result)
    assert not (tmp_path / "out" / "adata.h5ad").exists()
    points = ParetoVI.load(tmp_path / "out" / "model", anndata.read_h5ad(data)).front.numbers
    result = invoke("fit", data, *OPTIONS, "--output", tmp_path / "out", "--resume")
    assert result.exit_code == 0, result.output
    written = anndata.read_h5ad(tmp_path / "out" / "adata.h5ad")
    assert ParetoVI.load(tmp_path / "out" / "model", written).front.numbers == points


def test_findings_along_a_finished_front(finished, tmp_path):
    output = tmp_path / "results"
    shutil.copytree(finished[0], output)
    options = ["--groupby", "cell_type", "--sample-key", "batch", "--kinds", "clusters,markers"]
    result = invoke("survives", output, *options)
    assert result.exit_code == 0, result.output
    clusters = pd.read_csv(output / "survives_clusters.csv")
    held = int((clusters["call"] == "robust").sum())
    assert f"Of {len(clusters)} clusters {held} are the same at all of them." in said(result)
    assert "multiverse analysis" in (output / "survives.txt").read_text()
    assert (output / "survives.csv").read_text().startswith("kind,group,gene,call")
    kept = anndata.read_h5ad(output / "adata.h5ad")
    assert kept.uns["scpareto"]["survives"]["sentence"] in said(result)
    assert "survives_cluster" in kept.obs
    refused = invoke("survives", output, "--groupby", "kind")
    assert refused.exit_code == 2
    assert "groupby='kind' is not in adata.obs; it holds 'batch', 'cell_type'" in said(refused)
