"""Every method by the same call: order of the cells, seeds, batches, what is missing."""

from __future__ import annotations

import importlib
import random

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

import scpareto as sp
from scpareto._cells import stratified_split
from scpareto.bench import method_names, read_cells, run_method

METHODS = method_names()
DETERMINISTIC = ["pca", "combat", "mnn"]


def run(adata, method, quick, **options):
    labels = "cell_type" if sp.bench.get_method(method).reads_labels else None
    sp.bench.integrate(adata, method, batch_key="batch", labels_key=labels, **quick.get(method, {}) | options)
    return adata.obsm[f"X_{method}"]


def global_state():
    return random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002


@pytest.fixture(scope="module")
def two(simulate, quick):
    """Return data of two batches with the codes of every method, each run from another state of the generators."""
    adata = simulate(2)
    states = {}
    for i, method in enumerate(METHODS):
        random.seed(i)
        np.random.seed(i)  # noqa: NPY002 - the caller's own
        torch.manual_seed(i)
        before = global_state()
        run(adata, method, quick)
        after = global_state()
        states[method] = (before, after)
    return adata, states


@pytest.mark.parametrize("method", METHODS)
def test_codes_are_in_the_order_of_the_cells(two, method):
    adata, _ = two
    codes, types = adata.obsm[f"X_{method}"], adata.obs["cell_type"].to_numpy()
    assert codes.shape[0] == adata.n_obs
    assert codes.dtype == np.float64
    assert np.isfinite(codes).all()
    # Scrambled rows would put a cell of the same type next to it one time in four.
    half = np.arange(adata.n_obs) % 2 == 0
    found = KNeighborsClassifier(5).fit(codes[half], types[half]).score(codes[~half], types[~half])
    assert found > 0.5


@pytest.mark.parametrize("method", METHODS)
def test_equal_seeds_give_equal_codes_and_leave_the_callers_generators(two, simulate, quick, method):
    adata, states = two
    before, after = states[method]
    assert before[0] == after[0]
    np.testing.assert_array_equal(before[1], after[1])
    assert torch.equal(before[2], after[2])
    np.testing.assert_array_equal(run(simulate(2), method, quick), adata.obsm[f"X_{method}"])


def test_data_are_left_as_they_are(two, simulate):
    adata, _ = two
    fresh = simulate(2)
    assert (adata.X != fresh.X).nnz == 0
    assert list(adata.obs) == list(fresh.obs)
    assert list(adata.var) == list(fresh.var)
    assert set(adata.obsm) == {f"X_{method}" for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_seven_batches(simulate, quick, method):
    adata = simulate(7, n_cells=210)
    assert len(run(adata, method, quick)) == 210


@pytest.mark.parametrize("method", METHODS)
def test_one_batch_is_refused(simulate, quick, method):
    adata = simulate(2)
    adata.obs["batch"] = "all"
    with pytest.raises(ValueError, match="one batch only"):
        run(adata, method, quick)
    assert not adata.obsm


@pytest.mark.parametrize("method", DETERMINISTIC)
def test_permuted_cells_give_permuted_codes(simulate, quick, method):
    adata = simulate(2)
    order = np.random.default_rng(3).permutation(adata.n_obs)
    codes, permuted = run(adata, method, quick), run(adata[order].copy(), method, quick)
    # Components are defined up to their signs, so distances are compared.
    distances = [np.linalg.norm(z - z[0], axis=1) for z in (codes[order], permuted)]
    np.testing.assert_allclose(*distances, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", [m for m in METHODS if sp.bench.get_method(m).requires])
def test_a_missing_extra_is_named(simulate, quick, monkeypatch, method):
    real = importlib.import_module

    def without(name, *rest):
        if name == sp.bench.get_method(method).requires:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    extra = "harmony" if method.startswith("harmony") else "bench"
    with pytest.raises(ImportError, match=rf"method='{method}' needs .*pip install 'scpareto\[{extra}\]'"):
        run(simulate(2), method, quick)
    assert not sp.bench.methods().set_index("name").loc[method, "installed"]


def test_wrong_arguments_are_refused_before_work(simulate):
    adata = simulate(2)
    with pytest.raises(ValueError, match="method='umap' is unknown. Choose one of combat, desc"):
        sp.bench.integrate(adata, "umap", batch_key="batch")
    with pytest.raises(ValueError, match="'combat' has no option 'theta'. Its options: strength"):
        sp.bench.integrate(adata, "combat", batch_key="batch", theta=1)
    with pytest.raises(ValueError, match="method='mnn' has no option 'theta'. Its options: k, sigma"):
        sp.bench.integrate(adata, "mnn", batch_key="batch", theta=1)
    with pytest.raises(ValueError, match="'combat' reads the batches"):
        sp.bench.integrate(adata, "combat")
    with pytest.raises(ValueError, match="'scanvi' reads labels"):
        sp.bench.integrate(adata, "scanvi", batch_key="batch")
    with pytest.raises(KeyError, match="batch_key='study' is not in adata.obs"):
        sp.bench.integrate(adata, "combat", batch_key="study")
    with pytest.raises(KeyError, match="labels_key='type' is not in adata.obs"):
        sp.bench.integrate(adata, "scanvi", batch_key="batch", labels_key="type")
    with pytest.raises(TypeError, match=r"which=0.5: a place between the points"):
        sp.bench.integrate(adata, "paretovi", batch_key="batch", select=0.5)


def test_layer_and_key(simulate):
    adata = simulate(2)
    sp.bench.integrate(adata, "combat", batch_key="batch", key_added="X_a")
    adata.layers["counts"], adata.X = adata.X, None
    sp.bench.integrate(adata, "combat", batch_key="batch", layer="counts", key_added="X_b")
    np.testing.assert_array_equal(adata.obsm["X_a"], adata.obsm["X_b"])


def test_methods_that_do_not_read_the_batch_need_none(simulate):
    adata = simulate(2)
    sp.bench.integrate(adata, "pca", key_added="without")
    sp.bench.integrate(adata, "pca", batch_key="batch", key_added="with")
    np.testing.assert_array_equal(adata.obsm["without"], adata.obsm["with"])


def test_labels_of_test_cells_are_hidden(simulate):
    adata = simulate(2)
    adata.obs["cell_type"] = adata.obs["cell_type"].astype(object)
    adata.obs.iloc[0, adata.obs.columns.get_loc("cell_type")] = np.nan
    whole = read_cells(adata, batch_key="batch", labels_key="cell_type")
    assert whole.labels[0] == "unlabelled"
    assert (whole.labels[1:] == adata.obs["cell_type"].to_numpy()[1:]).all()
    split = stratified_split(adata.obs["batch"], seed=0)
    cells = read_cells(adata, batch_key="batch", labels_key="cell_type", split=split)
    assert (cells.labels[split.test] == "unlabelled").all()
    kept = np.setdiff1d(np.r_[split.train, split.validation], [0])
    assert (cells.labels[kept] == adata.obs["cell_type"].to_numpy()[kept]).all()


@pytest.mark.parametrize("method", ["scvi", "sysvi", "scvi_hsic", "saucie_mmd"])
def test_inductive_methods_do_not_see_the_test_cells(simulate, quick, method):
    """Other counts of the test cells leave the codes of all others as they are."""
    adata = simulate(2)
    split = stratified_split(adata.obs["batch"], fractions=(0.5, 0.1, 0.4), seed=0)
    chosen = sp.bench.get_method(method)
    assert chosen.inductive
    options = quick[method]
    if method == "sysvi":  # the mixture prior is started from cells of all parts, as the library does it
        options = options | {"prior": "standard_normal"}
    codes = []
    for change in (False, True):
        other = adata.copy()
        if change:
            x = other.X.toarray()
            x[split.test] = x[split.test][:, ::-1]
            other.X = type(adata.X)(x)
        cells = read_cells(other, batch_key="batch", split=split)
        codes.append(run_method(chosen, cells, options))
    np.testing.assert_allclose(codes[0][split.train], codes[1][split.train], rtol=1e-4, atol=1e-5)
    assert not np.allclose(codes[0][split.test], codes[1][split.test], atol=1e-3)


@pytest.mark.parametrize(("method", "size"), [("seurat_cca", 1), ("combat", 1), ("paretovi", 2)])
def test_batches_that_are_too_small_are_named_before_any_work(method, size):
    pytest.importorskip("skmisc")
    adata = sp.datasets.simulate_batches(60, 40, n_batches=1, seed=0)
    adata.obs["batch"] = np.where(np.arange(60) < size, "tiny", "large")
    with pytest.raises(
        ValueError, match=rf"method='{method}' needs at least {size + 1} cells.*'tiny' has {size} cells"
    ):
        sp.bench.integrate(adata, method, batch_key="batch")


@pytest.mark.parametrize(("n_small", "n_genes"), [(2, 2050), (20, 2300)])
def test_seurat_takes_small_batches_and_few_genes_more_than_it_selects(n_small, n_genes):
    pytest.importorskip("skmisc")
    adata = sp.datasets.simulate_batches(100, n_genes, n_batches=1, seed=0)
    adata.obs["batch"] = np.where(np.arange(100) < n_small, "tiny", "large")
    sp.bench.integrate(adata, "seurat_cca", batch_key="batch")
    assert np.isfinite(adata.obsm["X_seurat_cca"]).all()


@pytest.mark.parametrize(("method", "batch_size"), [("scvi", 11), ("scanvi", 13), ("scanvi", 143), ("sysvi", 13)])
def test_a_last_minibatch_of_one_cell_ends_no_training(method, batch_size):
    adata = sp.datasets.simulate_batches(160, 40, n_batches=2, n_types=3, seed=0)
    cells = read_cells(adata, batch_key="batch")
    assert len(cells.split.train) % batch_size == 1
    options = {"max_epochs": 1, "batch_size": batch_size} | ({"max_epochs_labels": 1} if method == "scanvi" else {})
    run(adata, method, {}, **options)
    assert np.isfinite(adata.obsm[f"X_{method}"]).all()
