"""Every model from set-up to judgement: what any release of scvi-tools and its neighbours must leave working."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import anndata
import numpy as np
import pytest
import scanpy as sc

import scpareto as sp

pytestmark = pytest.mark.compat

FRONT = {"max_epochs": 6, "max_epochs_pretrain": 2, "n_points": 4, "progress": False}


@dataclass(frozen=True)
class Case:
    """How a model is set up and trained."""

    cls: type
    setup: dict[str, Any] = field(default_factory=lambda: {"batch_key": "batch", "layer": "counts"})
    init: dict[str, Any] = field(default_factory=lambda: {"n_hidden": 16, "n_latent": 4})
    train: dict[str, Any] = field(default_factory=dict)
    has_codes: bool = True
    takes_queries: bool = True


CASES = {
    "ParetoVI": Case(sp.model.ParetoVI, train=FRONT),
    "ParetoVI, published": Case(
        sp.model.ParetoVI,
        train={
            "max_epochs": 4,
            "max_epochs_pretrain": 2,
            "n_points": 4,
            "method": "pareto_mtl",
            "objective": "mine",
            "progress": False,
        },
    ),
    "ScInfoVAE": Case(
        sp.model.ScInfoVAE,
        setup={"batch_key": "batch"},
        init={"n_hidden": [16, 8], "n_latent": 4, "n_clusters": 3, "seed": 0},
        train={"max_epochs_pretrain": 4, "max_epochs_finetune": 2, "progress": False},
    ),
    "BetaTCVAE": Case(
        sp.model.BetaTCVAE,
        setup={},
        init={"n_hidden": [16, 8], "n_latent": 4, "seed": 0},
        train={"max_epochs": 3, "progress": False},
        takes_queries=False,
    ),
    "MichiGAN": Case(
        sp.model.MichiGAN,
        setup={"code_key": "X_pca"},
        init={"n_hidden_generator": [16, 16], "n_hidden_critic": [16, 8], "n_noise": 4, "seed": 0},
        train={"max_epochs": 2},
        has_codes=False,
        takes_queries=False,
    ),
}


def cells(n_cells=240, seed=0):
    """Counts in a layer, log-normalised expression in X, as scanpy leaves them."""
    adata = sp.datasets.simulate_batches(n_cells, 50, n_batches=2, n_types=3, counts_per_gene=2.0, seed=seed)
    adata.layers["counts"] = adata.X.copy()
    sc.pp.normalize_total(adata)
    sc.pp.log1p(adata)
    sc.pp.pca(adata, n_comps=4)
    adata.obsm["X_pca"] = adata.obsm["X_pca"].astype(np.float32)
    return adata


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(scope="module")
def prepared(case):
    adata = cells()
    if case.cls is sp.model.ScInfoVAE:
        adata.X = adata.layers["counts"].copy()
        adata = sp.pp.prepare_scinfovae(adata, n_top_genes=40)
    return adata


@pytest.fixture(scope="module")
def model(case, prepared):
    case.cls.setup_anndata(prepared, **case.setup)
    model = case.cls(prepared, **case.init)
    model.train(**case.train)
    return model


def what_it_gives(model, case):
    return model.get_latent_representation() if case.has_codes else model.generate(n_cells=20, seed=0)


def test_trains_and_gives_numbers(model, case):
    assert model.is_trained
    found = np.asarray(what_it_gives(model, case))
    assert np.isfinite(found).all()
    assert found.std(axis=0).max() > 0


def test_a_saved_model_loads_with_the_same_numbers(model, case, tmp_path):
    model.save(tmp_path / "model", save_anndata=True)
    again = case.cls.load(tmp_path / "model")
    np.testing.assert_array_equal(what_it_gives(again, case), what_it_gives(model, case))
    with_cells = case.cls.load(tmp_path / "model", adata=model.adata)
    np.testing.assert_array_equal(what_it_gives(with_cells, case), what_it_gives(model, case))


def test_cells_that_were_written_and_read_give_the_same_codes(model, case, tmp_path):
    if not case.has_codes:
        pytest.skip("a generator, without an encoder")
    model.adata.write_h5ad(tmp_path / "cells.h5ad")
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(model.get_latent_representation(read), model.get_latent_representation())


def test_query_cells_are_mapped(model, case, prepared):
    if not case.takes_queries:
        pytest.skip("no query mapping, see docs/user_guide/scvi_tools.md")
    query = prepared[:80].copy()
    query.obs["batch"] = "new"
    mapped = case.cls.load_query_data(query, model)
    mapped.train(**case.train)
    codes = mapped.get_latent_representation()
    assert codes.shape == (80, 4)
    assert np.isfinite(codes).all()


def test_codes_are_judged(model, case):
    if not case.has_codes:
        pytest.skip("a generator, without an encoder")
    adata = model.adata.copy()
    layer = "counts" if "counts" in adata.layers else None
    adata.obsm["X_model"] = model.get_latent_representation()
    table = sp.tl.judge(adata, ["X_model"], batch_key="batch", layer=layer, labels_key="cell_type", n_bootstrap=20)
    assert table.loc["X_model", "structure_kept"] > 0
    assert table.loc["X_model", "scib_total"] > 0
