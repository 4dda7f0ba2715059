"""The command that judges embeddings of a file."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import scpareto as sp
from scpareto.cli import app


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
    assert set(pd.read_csv(output / "control_genes.csv")["gene"]) == {"gene_0", "gene_1", "gene_2"}
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


def test_a_file_that_is_not_there_is_named(tmp_path):
    result = run(tmp_path / "none.h5ad", "--use-rep", "X", "--batch-key", "batch", "--output", tmp_path / "judged")
    assert result.exit_code == 2
    assert "none.h5ad does not exist" in said(result)
