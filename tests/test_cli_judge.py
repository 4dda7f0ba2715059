"""The command that judges embeddings of a file."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import pytest
from anndata import io
from matplotlib.figure import Figure
from scipy import sparse
from sklearn.neighbors import kneighbors_graph
from typer.testing import CliRunner

import scpareto as sp
from scpareto.cli import app
from scpareto.cli._judge_data import open_cells

pytestmark = pytest.mark.compat  # files are written by anndata of one version and read by that of another


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "cells.h5ad"
    adata = sp.datasets.simulate_batches(400, 80, n_batches=2, n_types=3, seed=0)
    rng = np.random.default_rng(0)
    adata.obs["condition"] = np.where(rng.random(400) < 0.5, "ctrl", "stim")
    adata.obsm["X_random"] = rng.normal(size=(400, 5))
    adata.obsm["X_types"] = np.asarray(pd.get_dummies(adata.obs["cell_type"]), float) + 0.1 * rng.normal(size=(400, 3))
    adata.write_h5ad(path)
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["judge", *map(str, arguments)])


def said(result):
    return " ".join(re.sub(r"[│┃]", " ", result.output).split())


def test_table_picture_and_report_are_left(data, tmp_path):
    output = tmp_path / "judged"
    result = run(data, "--use-rep", "X_types", "X_random", "--batch-key", "batch", "--output", output)
    assert result.exit_code == 0, result.output
    written = {"judge.csv", "judge.png", "populations.csv", "populations.png", "lost.csv", "report.html"}
    assert {path.name for path in output.iterdir()} == written | {"run.json", "log.txt"}
    table = pd.read_csv(output / "judge.csv", index_col=0)
    assert table.index.tolist() == ["X_types", "X_random"]
    assert table["structure_kept"]["X_types"] > 50 > table["structure_kept"]["X_random"]
    page = (output / "report.html").read_text()
    assert "cells.h5ad" in page
    assert "data:image/png;base64," in page
    assert "http" not in page, "no network is needed"
    for heading in ("Numbers", "What is lost", "Population by population", "Methods, to paste", "References, to paste"):
        assert f"<h2>{heading}</h2>" in page
    assert "cells without counterpart (%)" in page
    assert f"scpareto {sp.__version__}" in page
    assert page.count("<img") == 2
    assert json.loads((output / "run.json").read_text())["arguments"]["use_rep"] == ["X_types", "X_random"]


def test_condition_labels_and_genes_reach_table_and_report(data, tmp_path):
    output = tmp_path / "judged"
    asked = ["--protect-key", "condition", "--control-genes", "gene_0,gene_1", "--control-genes", "gene_2"]
    result = run(data, "--use-rep", "X_types", "X_random", "--batch-key", "batch", *asked, "--output", output)
    assert result.exit_code == 0, result.output
    assert "do not tell condition within populations" in said(result)
    assert "condition_kept" in pd.read_csv(output / "judge.csv", index_col=0)
    judged = pd.read_csv(output / "control_genes.csv")
    assert set(judged["gene"]) == {"gene_0", "gene_1", "gene_2"}
    (told,) = re.findall(r"Control gene gene_0, pattern kept: (.*?)\. Control", said(result))
    assert [part.split()[0] for part in told.split(", ")] == judged["embedding"][judged["gene"] == "gene_0"].tolist()
    page = (output / "report.html").read_text()
    assert "<h2>What is kept of condition</h2>" in page
    assert "<h2>Control genes</h2>" in page
    assert "For control genes (gene_0, gene_1, gene_2)" in page


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--use-rep", "X_types", "--labels-key", "type"], "labels_key='type' is not in adata.obs"),
        (["--use-rep", "X_types", "--protect-key", "batch"], "cannot be removed and kept"),
        (["--use-rep", "X_types", "--control-genes", "XIST"], "'XIST' is not in adata.var_names"),
        (["--use-rep", "X_umap"], "X_umap' is not in adata.obsm; it holds 'X_random', 'X_types'"),
        ([], "use_rep is empty: name embeddings of adata.obsm"),
        (["--use-rep", "X_types", "--layer", "raw"], "layer='raw' is not in adata.layers"),
        (["--use-rep", "X_types", "--neighbors-key", "bbknn"], "names no neighbour graph"),
    ],
)
def test_what_cannot_be_judged_ends_with_one_line_and_no_folder(data, tmp_path, arguments, told):
    result = run(data, *arguments, "--batch-key", "batch", "--output", tmp_path / "judged")
    assert result.exit_code == 2
    assert told in said(result)
    assert not (tmp_path / "judged").exists()


def test_a_large_file_stays_on_disk_and_a_sample_is_judged(data, tmp_path, monkeypatch):
    def refused(path):
        raise AssertionError(f"{path} was read whole")

    monkeypatch.setattr("scpareto.cli._judge_data.read_h5ad", refused)
    output = tmp_path / "judged"
    result = run(
        data, "--use-rep", "X_types", "--batch-key", "batch", "--max-cells", 200, "--seed", 1, "--output", output
    )
    assert result.exit_code == 0, result.output
    assert "Judged on a sample of 200 of 400 cells" in said(result)
    assert "a sample of 200 of 400 cells" in (output / "report.html").read_text()
    adata = anndata.read_h5ad(data)
    table = sp.tl.judge(adata, "X_types", batch_key="batch", max_cells=200, seed=1)
    written = pd.read_csv(output / "judge.csv", index_col=0)
    np.testing.assert_allclose(written["structure_kept"], table["structure_kept"])


def test_names_that_pandas_3_writes_are_read(data, tmp_path):
    path = tmp_path / "cells.h5ad"
    path.write_bytes(data.read_bytes())
    with h5py.File(path, "r+") as file:
        if isinstance(file["obs/_index"], h5py.Dataset):
            names = file["obs/_index"].asstr()[:]
            del file["obs/_index"]
            group = file["obs"].create_group("_index")
            group.attrs.update({"encoding-type": "nullable-string-array", "encoding-version": "0.1.0"})
            io.write_elem(group, "values", names)
            io.write_elem(group, "mask", np.zeros(len(names), dtype=bool))
    with open_cells(path, max_cells=100) as cells:
        assert cells.n_obs == 400
        assert cells.obs_names[0] == anndata.read_h5ad(data).obs_names[0]


def test_matrices_of_a_large_file_are_left_in_it(data, tmp_path):
    whole = anndata.read_h5ad(data)
    whole.layers["counts"] = whole.X.copy()
    whole.obsp["near"] = kneighbors_graph(whole.obsm["X_types"], 15)
    whole.uns["knn"] = {"connectivities_key": "near"}
    whole.obsm["X_frame"] = pd.DataFrame(whole.obsm["X_types"], index=whole.obs_names, columns=["a", "b", "c"])
    whole.write_h5ad(tmp_path / "large.h5ad")
    with open_cells(tmp_path / "large.h5ad", max_cells=100) as adata:
        held = [adata.X, adata.layers["counts"], adata.obsm["X_types"], adata.obsp["near"]]
        assert not any(isinstance(matrix, np.ndarray) or sparse.issparse(matrix) for matrix in held)
        options = {"batch_key": "batch", "neighbors_key": "knn", "layer": "counts", "n_bootstrap": 10, "max_cells": 200}
        table = sp.tl.judge(adata, ["X_types", "X_frame"], **options)
        assert table.loc["X_types", "structure_kept"] == table.loc["X_frame", "structure_kept"]
        assert table.loc["knn", "graph_mixing"] > 0
    with open_cells(tmp_path / "large.h5ad", max_cells=400) as adata:
        assert sparse.issparse(adata.X)


def test_a_file_of_several_modalities_and_held_out_cells(data, tmp_path):
    adata = anndata.read_h5ad(data)
    adata.obs["test"] = np.arange(adata.n_obs) % 3 == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mudata.MuData({"rna": adata}).write(tmp_path / "cells.h5mu")
    output = tmp_path / "judged"
    options = ["--batch-key", "rna:batch", "--held-out", "rna:test", "--output", output]
    result = run(tmp_path / "cells.h5mu", "--use-rep", "rna:X_types", "rna:X_random", *options)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(output / "judge.csv", index_col=0)
    assert table.index.tolist() == ["rna:X_types", "rna:X_random"]
    assert table["structure_kept_held_out"]["rna:X_types"] > 50
    assert "held-out cells" in (output / "report.html").read_text()


@pytest.mark.parametrize("suffix", ["h5ad", "h5mu"])
def test_what_is_no_such_file_is_said(tmp_path, suffix):
    path = tmp_path / f"cells.{suffix}"
    path.write_text("no file of cells")
    result = run(path, "--use-rep", "X", "--batch-key", "batch", "--output", tmp_path / "judged")
    assert result.exit_code == 2
    assert f"cells.{suffix} is not a readable .{suffix} file" in said(result)


def test_a_file_that_is_not_there_is_named(tmp_path):
    result = run(tmp_path / "none.h5ad", "--use-rep", "X", "--batch-key", "batch", "--output", tmp_path / "judged")
    assert result.exit_code == 2
    assert "none.h5ad does not exist" in said(result)


@pytest.mark.parametrize(
    ("owner", "name", "least"), [(pd.DataFrame, "to_csv", set()), (Figure, "savefig", {"judge.csv"})]
)
def test_a_full_disk_leaves_no_half_file_and_one_line(data, tmp_path, monkeypatch, owner, name, least):
    def write(self, file, *arguments, **options):
        Path(file).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(owner, name, write)
    result = run(data, "--use-rep", "X_types", "--batch-key", "batch", "--output", tmp_path / "judged")
    assert result.exit_code == 1
    assert "could not be written (No space left on device); what was there before stays" in said(result)
    left = {path.name for path in (tmp_path / "judged").iterdir()}
    assert least <= left
    assert not left & {"judge.png", "report.html"}
    assert not [path for path in (tmp_path / "judged").iterdir() if "unfinished" in path.name]
