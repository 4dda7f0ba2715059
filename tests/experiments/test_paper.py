"""The scripts for published datasets, on small files of the same form."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse
from scipy.io import mmwrite

from scpareto.datasets import simulate_batches, simulate_perturbations

PAPER = Path(__file__).parents[2] / "experiments" / "paper"
if not PAPER.is_dir():
    pytest.skip("experiments are not part of this copy", allow_module_level=True)

ONE_STEP = {"max_epochs": 1}
TINY_FRONT = {
    "seeds": 1,
    "n_cells": 400,
    "n_genes": 40,
    "pretrain": 1,
    "epochs": {"mine": 1, "mmd": 1},
    "n_points": 4,
    "batch_size": 32,
    "n_init": 1,
    "plan": {"critic_warmup": ONE_STEP, "de_novo": ONE_STEP, "n_critic": 1, "n_bootstrap": 5},
}
TINY_CELLS = {
    "n_cells": 150,
    "n_genes": 30,
    "n_hidden": [16],
    "epochs": 1,
    "gan": {"n_hidden_generator": [16], "n_hidden_critic": [16]},
    "gan_training": {"max_epochs": 1, "batch_size": 32, "n_critic": 1},
    "n_trees": 5,
}


@pytest.fixture
def script(monkeypatch):
    """Modules of the folder by name, with a setting ``tiny``."""
    monkeypatch.syspath_prepend(PAPER)
    for module, table, tiny in (
        ("fronts", "SETTINGS", TINY_FRONT),
        ("heart", "SETTINGS", TINY_CELLS),
        ("generated_cells", "EVERY", 1),
        ("generated_cells", "TRAINING", {}),
        ("generated_cells", "PLAN", {}),
        ("generated_cells", "TREES", 5),
    ):
        monkeypatch.setitem(getattr(importlib.import_module(module), table), "tiny", tiny)
    return importlib.import_module


@pytest.fixture
def data(script):
    return script("published_data")


def cells_of(counts, genes, prefix="c", cell_type="T"):
    adata = AnnData(sparse.csr_matrix(np.asarray(counts, dtype=np.float32)))
    adata.var_names = genes
    adata.obs_names = [f"{prefix}{i}" for i in range(adata.n_obs)]
    adata.obs["cell_type"] = pd.Categorical([cell_type] * adata.n_obs)
    return adata


def write_table(adata, path):
    """Genes by cells, as facs counts come."""
    adata.to_df().T.astype(int).to_csv(path)


def write_10x(adata, folder):
    """Matrix Market folder of version 2, barcodes with the number of their well."""
    folder.mkdir(parents=True)
    mmwrite(folder / "matrix.mtx", sparse.csc_matrix(adata.X.T.astype(int)))
    (folder / "barcodes.tsv").write_text("".join(f"{name}-1\n" for name in adata.obs_names))
    (folder / "genes.tsv").write_text("".join(f"{name}\t{name}\n" for name in adata.var_names))


def test_marrow_treatment_by_hand(data):
    """Lengths 1000 and 3000 (mean 2000): factors 2 and 2/3; the gene without length goes before the mean is taken."""
    facs = cells_of([[49, 4, 500, 0], [50, 1, 0, 0], [60, 5, 0, 0]], ["Actb", "Cd4", "Spike", "Empty"], "f")
    droplet = cells_of([[1, 0, 3], [0, 2, 1], [0, 0, 7]], ["CD4", "ACTB", "Xist"], "d", "B")
    cells = data.treat_marrow(facs, droplet, pd.Series({"Actb": 1000.0, "Cd4": 3000.0}))
    # 98 + 2 = 100 counts are not more than 100, nor are 100 + 0; the third has 120 + 3. A droplet has no counts left.
    assert list(cells.obs_names) == ["f2-facs", "d0-droplet", "d1-droplet"]
    assert list(cells.var_names) == ["ACTB", "CD4"]
    np.testing.assert_array_equal(cells.X.toarray(), [[120, 3], [0, 1], [2, 0]])
    assert cells.obs["batch"].tolist() == ["facs", "droplet", "droplet"]
    assert cells.obs["cell_type"].tolist() == ["T", "B", "B"]
    assert facs.X[0, 0] == 49


def test_marrow_names_that_differ_in_case_only(data):
    facs = cells_of([[60, 50, 9]], ["Actb", "Cd4", "CD4"])
    cells = data.treat_marrow(facs, cells_of([[1, 1]], ["Actb", "Cd4"]), pd.Series({"ACTB": 1.0, "CD4": 1.0}))
    np.testing.assert_array_equal(cells.X.toarray(), [[60, 50], [1, 1]])


def test_macaque_treatment_takes_bipolar_types_and_genes_of_both(data):
    fovea = cells_of([[1, 2, 0], [3, 1, 0]], ["a", "b", "c"], "f", "DB1")
    fovea.obs["cell_type"] = pd.Categorical(["DB1", "Muller"])
    cells = data.treat_macaque(fovea, cells_of([[5, 4, 7]], ["c", "b", "a"], "p", "RB"))
    assert list(cells.var_names) == ["a", "b"]
    np.testing.assert_array_equal(cells.X.toarray(), [[1, 2], [7, 4]])
    assert cells.obs["batch"].tolist() == ["fovea", "periphery"]
    with pytest.raises(SystemExit, match="counts of periphery hold fractions"):
        data.treat_macaque(fovea, cells_of([[0.5]], ["a"], "p", "RB"))
    with pytest.raises(SystemExit, match="fovea is of the types X; its types are 'DB1', 'Muller'"):
        data.treat_macaque(fovea, fovea, types=["X"])


@pytest.mark.parametrize(
    ("n_cells", "batch_size", "n_train"),
    # 30,302 bipolar cells: 8 * 256 * 11 + 128 * 8 (the paper's 23,551 is this, truncated in floating point).
    [(30302, 256, 23552), (9467, 128, 7552), (1280, 128, 1024), (1300, 128, 1024), (2559, 128, 1024 + 9 * 128)],
)
def test_size_of_the_published_split(data, n_cells, batch_size, n_train):
    parts = data.published_split(n_cells, batch_size, 0)
    assert len(parts[0]) == n_train
    assert len(parts[1]) == max(1, (n_cells - n_train) // 10)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n_cells))


def test_published_splits_differ_and_repeat(data):
    first, again, other = (data.published_split(500, 16, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert len(np.setdiff1d(first, other))
    with pytest.raises(ValueError, match="99 cells are fewer than ten minibatches of 10"):
        data.published_split(99, 10, 0)


def test_forms_of_counts_agree(data, tmp_path):
    adata = simulate_batches(30, 12, seed=0)
    adata.obs_names = [f"cell{i}" for i in range(30)]
    adata.write_h5ad(tmp_path / "a.h5ad")
    write_table(adata, tmp_path / "a.csv.gz")
    write_10x(adata, tmp_path / "Marrow-10X_P7_2")
    read = [data.read_counts([data.counts_path(str(tmp_path / n))]) for n in ("a.h5ad", "a.csv.gz", "Marrow-10X_P7_2")]
    for cells in read:
        assert sparse.issparse(cells.X)
        assert list(cells.var_names) == list(adata.var_names)
        np.testing.assert_array_equal(cells.X.toarray(), adata.X.toarray())
    assert read[1].obs_names[3] == "cell3"
    assert read[2].obs_names[3] == "10X_P7_2_cell3"
    both = data.read_counts([tmp_path / "a.csv.gz", tmp_path / "Marrow-10X_P7_2"])
    assert both.shape == (60, 12)


def test_annotations_and_lengths(data, tmp_path):
    cells = cells_of(np.ones((3, 1)), ["a"])
    (tmp_path / "one.csv").write_text("tissue,cell,type\nM,c2,B\nM,c0,\nM,other,T\n")
    assert list(data.labels_of(cells, tmp_path / "one.csv", "type")) == ["unknown", "unknown", "B"]
    assert list(data.labels_of(cells, None, "cell_type")) == ["T", "T", "T"]
    with pytest.raises(SystemExit, match="no column 'kind'; there are 'tissue', 'type'"):
        data.labels_of(cells, tmp_path / "one.csv", "kind")
    for text in ("gene\tlength\nA\t10\nB\t2.5\n", "A 10\nB 2.5\n", "A,10\nB,2.5\n"):
        (tmp_path / "lengths.txt").write_text(text)
        assert data.gene_lengths(tmp_path / "lengths.txt").to_dict() == {"A": 10.0, "B": 2.5}
    (tmp_path / "lengths.txt").write_text("A,10\nB,long\n")
    with pytest.raises(SystemExit, match="length of 'B'"):
        data.gene_lengths(tmp_path / "lengths.txt")


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("marrow", ["--facs", "nowhere.csv"], "argument --facs: nowhere.csv does not exist"),
        ("marrow", ["--gene-lengths", "nowhere.txt"], "argument --gene-lengths: nowhere.txt is no file"),
        ("macaque", ["--periphery", "."], "argument --periphery: the folder . holds no matrix.mtx"),
        ("heart", ["--cells", "setup.py"], "argument --cells: setup.py is no .h5ad"),
        ("sciplex", ["--held-out", "A549"], "'A549' is not of the form LINE:DRUG"),
    ],
)
def test_missing_files_are_named_before_anything_runs(script, capsys, tmp_path, monkeypatch, name, given, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "setup.py").write_text("")
    with pytest.raises(SystemExit):
        script(name).main(given)
    assert said in capsys.readouterr().err


def regions(tmp_path, **files):
    """Cells of two batches, each written as ``files`` says, and a table of their types."""
    adata = simulate_batches(400, 60, n_batches=2, n_types=3, seed=0)
    adata.var_names = [f"Gene{i}" for i in range(60)]
    adata.obs_names = [f"cell{i}" for i in range(400)]
    adata.X = adata.X * 10  # enough counts for full-length cells
    names = []
    for (batch, own), (name, write) in zip(adata.obs.groupby("batch", observed=True), files.items(), strict=True):
        part = adata[own.index].copy()
        write(part, tmp_path / name)
        names += [f"10X_P1_{cell}" if write is write_10x else cell for cell in own.index]
        assert batch
    labels = pd.concat([own for _, own in adata.obs.groupby("batch", observed=True)])["cell_type"].to_numpy()
    pd.DataFrame({"cell": names, "kind": labels}).to_csv(tmp_path / "types.csv", index=False)
    return sorted(set(labels))


def check_fronts(claims, results, name):
    points = pd.read_csv(results / f"{name}_points.csv")
    assert set(zip(points["method"], points["objective"], strict=True)) == {
        (method, objective) for method in ("pareto_mtl", "scalarization") for objective in ("mine", "mmd")
    }
    assert set(points["preset"]) == {"paper"}
    assert len(points) == 4 * 4 * 2, "two extremes and two candidates, on training and on test cells"
    assert np.isfinite(points[["generative_loss", "NN", "-ASW", "-BE", "-NMI"]]).all(axis=None)
    # So short a training leaves the published critic dead, which is no measurement; MMD has no critic.
    assert np.isfinite(points.loc[points["objective"] == "mmd", "V"]).all()
    assert set(pd.read_csv(results / f"{name}.csv")["plane"]) >= {"U, V", "-ASW, -BE"}
    assert len(claims) == len(pd.read_csv(results / f"{name}_claims.csv")) > 10


def test_marrow_and_what_is_there_is_not_trained_again(script, tmp_path, monkeypatch):
    regions(tmp_path, **{"facs.csv": write_table, "Marrow-10X_P1": write_10x})
    lengths = "".join(f"Gene{i}\t{1000 + 20 * i}\n" for i in range(60))
    (tmp_path / "lengths.txt").write_text(lengths)
    given = ["--facs", "facs.csv", "--droplet", "Marrow-10X_P1", "--gene-lengths", "lengths.txt"]
    given += ["--facs-annotations", "types.csv", "--droplet-annotations", "types.csv", "--label-key", "kind"]
    given += ["--setting", "tiny", "--jobs", "0", "--results", "out"]
    monkeypatch.chdir(tmp_path)
    check_fronts(script("marrow").main(given), tmp_path / "out", "marrow")
    monkeypatch.setattr(script("fronts"), "train_front", lambda *run: pytest.fail("trained again"))
    check_fronts(script("marrow").main([*given, "--resume"]), tmp_path / "out", "marrow")


def macaque_files(tmp_path):
    types = regions(tmp_path, **{"fovea.csv": write_table, "periphery.h5ad": lambda part, path: part.write_h5ad(path)})
    given = ["--fovea", "fovea.csv", "--periphery", "periphery.h5ad", "--annotations", "types.csv"]
    return [*given, "--label-key", "kind", "--types", *types, "--setting", "tiny", "--jobs", "0", "--results", "out"]


def test_macaque_hands_treated_cells_to_the_comparison_of_marrow(script, tmp_path, monkeypatch):
    handed = {}
    monkeypatch.setattr(
        script("macaque"), "compare_fronts", lambda cells, name, _, **how: handed.update(cells=cells, name=name, **how)
    )
    given = macaque_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    script("macaque").main(given)
    assert (handed["name"], handed["batch_size"], handed["pretrain"]) == ("macaque", 256, 150)
    assert handed["cells"].obs["batch"].value_counts().to_dict() == {"fovea": 200, "periphery": 200}
    assert handed["cells"].obs["cell_type"].nunique() == 3


@pytest.mark.slow
def test_macaque(script, tmp_path, monkeypatch):
    given = macaque_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    check_fronts(script("macaque").main(given), tmp_path / "out", "macaque")


def test_heart(script, tmp_path):
    adata = simulate_batches(160, 40, n_types=3, seed=0)
    adata.obs["kind"] = adata.obs["cell_type"].astype(object).where(np.arange(160) >= 10)
    adata.write_h5ad(tmp_path / "heart.h5ad")
    given = ["--cells", str(tmp_path / "heart.h5ad"), "--label-key", "kind", "--setting", "tiny", "--jobs", "0"]
    table = script("heart").main([*given, "--seeds", "1", "--results", str(tmp_path)])
    rows = pd.read_csv(tmp_path / "heart.csv")
    assert {"wgan", "michigan, tcvae", "vae, likelihood", "tcvae, mean", "pca, likelihood", "gmm"} <= set(
        rows["method"]
    )
    assert rows["random_forest_error"].between(0, 1).all()
    assert (rows["inception_score"] >= 1).all()
    assert len(table) == rows["method"].nunique()


def test_sciplex(script, tmp_path):
    adata = simulate_perturbations(360, 40, n_drugs=4, seed=0)
    adata.obs["pathway"] = adata.obs["drug"].astype(str).replace({"drug_3": "drug_2"})
    adata.obs["pathway"] = "pathway of " + adata.obs["pathway"]
    adata = adata[~((adata.obs["drug"] == "drug_3") & (np.arange(360) % 2 == 0))].copy()
    adata.write_h5ad(tmp_path / "sciplex.h5ad")
    held_out = ["type_0:drug_1", "type_1:drug_2", "type_2:drug_1"]
    given = ["--cells", str(tmp_path / "sciplex.h5ad"), "--drug-key", "drug", "--pathway-key", "pathway"]
    given += ["--setting", "tiny", "--jobs", "0", "--results", str(tmp_path), "--held-out"]
    tests = script("sciplex").main([*given, *held_out])
    rows = pd.read_csv(tmp_path / "sciplex.csv")
    per_method = rows.groupby(["codes", "method"]).size()
    assert set(per_method.index.get_level_values("method")) == set(script("sciplex").METHODS)
    # type_0 and type_2 share a drug, so that one cell line is left to predict each of them from.
    assert (per_method == 4).all()
    assert rows["random_forest_error"].between(0, 1).all()
    assert set(tests["codes"]) == {"tcvae", "vae"}
    with pytest.raises(SystemExit, match="no cells of type_0:drug_3"):
        script("sciplex").main([*given, "type_0:drug_3"])
