"""Fronts of other scvi-tools models and of baselines, each through its own adapter."""

from __future__ import annotations

import anndata
import mudata
import numpy as np
import pytest
import scvi
import torch
from scvi.dataloaders import AnnDataLoader

import scpareto as sp
from scpareto.train._adapter import get_adapter

pytestmark = pytest.mark.compat

SHORT = {"n_bootstrap": 5, "critic_warmup": {"max_epochs": 2}, "de_novo": {"max_epochs": 2}}


def simulated():
    adata = sp.datasets.simulate_batches(200, 50, n_batches=2, n_types=3, seed=0)
    adata.obsm["protein"] = np.random.default_rng(0).poisson(20, (200, 5)).astype(np.float32)
    return adata


def plain():
    adata = simulated()
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch")
    return scvi.model.SCVI(adata)


def linear():
    adata = simulated()
    scvi.model.LinearSCVI.setup_anndata(adata, batch_key="batch")
    return scvi.model.LinearSCVI(adata)


def scanvi():
    adata = simulated()
    adata.obs["some"] = np.where(np.arange(200) % 3, adata.obs["cell_type"].astype(str), "unknown")
    scvi.model.SCANVI.setup_anndata(adata, batch_key="batch", labels_key="some", unlabeled_category="unknown")
    return scvi.model.SCANVI(adata)


def peakvi():
    adata = simulated()
    adata.X = (adata.X > 0).astype(np.float32)
    scvi.model.PEAKVI.setup_anndata(adata, batch_key="batch")
    return scvi.model.PEAKVI(adata)


def totalvi():
    adata = simulated()
    proteins = anndata.AnnData(adata.obsm.pop("protein"), obs=adata.obs[[]])
    both = mudata.MuData({"rna": adata, "protein": proteins})
    both.obs["batch"] = adata.obs["batch"].to_numpy()
    modalities = {"rna_layer": "rna", "protein_layer": "protein"}
    scvi.model.TOTALVI.setup_mudata(both, modalities=modalities, batch_key="batch")
    return scvi.model.TOTALVI(both, empirical_protein_background_prior=False)


def multivi():
    adata = simulated()
    chromatin = adata[:, 30:].copy()
    chromatin.X = (chromatin.X > 0).astype(np.float32)
    both = mudata.MuData({"rna": adata[:, :30].copy(), "atac": chromatin})
    both.obs["batch"] = adata.obs["batch"].to_numpy()
    scvi.model.MULTIVI.setup_mudata(both, modalities={"rna_layer": "rna", "atac_layer": "atac"}, batch_key="batch")
    return scvi.model.MULTIVI(both, n_genes=30, n_regions=20)


def saucie():
    adata = simulated()
    sp.bench.SAUCIE.setup_anndata(adata, batch_key="batch")
    return sp.bench.SAUCIE(adata, seed=0)


def desc():
    adata = simulated()
    sp.bench.DESC.setup_anndata(adata, batch_key="batch")
    return sp.bench.DESC(adata, seed=0)


FAMILIES = {make.__name__: make for make in (plain, linear, scanvi, peakvi, totalvi, multivi, saucie, desc)}


@pytest.fixture(params=FAMILIES)
def model(request):
    return FAMILIES[request.param]()


def test_the_generative_loss_of_each_cell_is_the_one_the_model_trains_on(model):
    adapter = get_adapter(model)
    minibatch = next(iter(AnnDataLoader(model.adata_manager, batch_size=200)))
    model.module.eval()
    torch.manual_seed(0)
    encoded, per_cell = adapter.forward(minibatch)
    torch.manual_seed(0)
    _, _, loss = model.module(minibatch, loss_kwargs={"kl_weight": 1.0})
    assert per_cell.shape == (200,)
    assert encoded.z.shape == encoded.qz.loc.shape == (200, adapter.n_latent)
    expected = loss.loss
    if isinstance(model, scvi.model.PEAKVI):
        # Its own loss counts the reconstruction of all cells once for each cell.
        expected = (loss.dict_sum(loss.reconstruction_loss).sum() + loss.dict_sum(loss.kl_local).sum()) / 200
    torch.testing.assert_close(per_cell.mean(), expected)


# A critic that has hardly been trained could take the path for collapsed, which a discrepancy does not.
@pytest.mark.parametrize(("method", "objective"), [("scalarization", "classifier"), ("conditional", "mmd")])
def test_a_front_is_learnt_and_its_points_come_back(model, method, objective):
    front = sp.fit_front(
        model,
        objective,
        n_points=4,
        max_epochs=2,
        max_epochs_pretrain=1,
        method=method,
        plan_kwargs=SHORT,
        seed=0,
        progress=False,
    )
    assert len(front) == 4
    assert (front.path is not None) == (method == "conditional")
    table = front.to_dataframe()
    assert np.isfinite(table[["generative_loss_test", f"{objective}_test"]]).all(axis=None)
    told = front.metadata["judged"]
    # A few cells show no batch effect, or batches share no population in these random counts.
    assert told.get("no_batch_effect", "reason" in told) or np.isfinite(table["batch_left"]).all()
    assert front.recommended in front.numbers
    codes = []
    for point in (0, 3, 0):
        sp.apply_point(model, front, point)
        codes.append(model.get_latent_representation())
    np.testing.assert_array_equal(codes[0], codes[2])
    assert not np.array_equal(codes[0], codes[1])
    if front.path is not None:
        # Any preference is a model, not only those of the grid.
        sp.apply_point(model, front, preference=0.37)
        between = model.get_latent_representation()
        assert not any(np.array_equal(between, some) for some in codes)


@pytest.mark.data
def test_totalvi_on_real_proteins(real_data):
    adata = anndata.read_h5ad(real_data / "pbmc_citeseq_2batches.h5ad")
    most = np.argsort(-np.asarray(adata.X.mean(axis=0)).ravel())[:200]
    adata = adata[:, np.sort(most)].copy()
    scvi.model.TOTALVI.setup_anndata(adata, protein_expression_obsm_key="protein_counts", batch_key="batch")
    front = sp.fit_front(
        scvi.model.TOTALVI(adata, empirical_protein_background_prior=False),
        n_points=4,
        max_epochs=5,
        max_epochs_pretrain=3,
        seed=0,
        plan_kwargs=SHORT,
        progress=False,
    )
    assert np.isfinite(front.to_dataframe()["generative_loss_test"]).all()
