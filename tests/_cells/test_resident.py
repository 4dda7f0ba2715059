from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from scvi.dataloaders import DataSplitter

from scpareto import datasets
from scpareto._cells._indexed import add_cell_index
from scpareto._cells._resident import ResidentDataset, SparseRows, bytes_needed, resident_dataset
from scpareto.front import stratified_split
from scpareto.model import ParetoVI

CPU = torch.device("cpu")


def managed(adata, **options):
    ParetoVI.setup_anndata(adata, batch_key="batch", **options)
    return ParetoVI(adata, n_hidden=8, n_latent=2).adata_manager


@pytest.fixture
def adata():
    adata = datasets.simulate_batches(n_cells=120, n_genes=30, n_batches=2, n_types=2, counts_per_gene=1.0, seed=0)
    adata.obs["quality"] = np.linspace(0, 1, 120)
    adata.obs["donor"] = np.tile(["ada", "ben", "cem"], 40)
    return adata


@pytest.mark.parametrize("dense", [False, True])
def test_minibatches_are_those_of_the_data_loader(adata, dense):
    if dense:
        adata.X = adata.X.toarray().astype(np.int32)
    manager = managed(adata, continuous_covariate_keys=["quality"], nuisance_keys=["donor"])
    split, found = stratified_split(adata.obs["batch"]), []
    for dataset in (None, ResidentDataset(manager, CPU)):
        twin = add_cell_index(manager, dataset)
        data = DataSplitter(twin, external_indexing=[split.train, split.validation, split.test], batch_size=32)
        data.setup()
        torch.manual_seed(0)
        found.append([*data.train_dataloader(), *data.val_dataloader()])
    assert len(found[0]) == len(found[1]) > 2
    for expected, cut in zip(*found, strict=True):
        assert expected.keys() == cut.keys()
        for key in expected:
            assert torch.equal(expected[key], cut[key]), key
            assert expected[key].dtype == cut[key].dtype, key


def test_rows_without_entries_and_repeated_rows():
    matrix = sparse.csr_matrix(np.array([[0, 0, 0], [1, 0, 2], [0, 0, 0], [0, 3, 0]]))
    rows = SparseRows(matrix, np.float32, CPU)
    for index in ([0, 2], [1], [3, 1, 0, 1], []):
        index = torch.tensor(index, dtype=torch.int64)
        assert torch.equal(rows[index], torch.from_numpy(matrix.toarray().astype(np.float32))[index])


def test_what_a_device_would_need(adata):
    manager = managed(adata)
    others = sum(8 * np.size(manager.get_from_registry(key)) for key in manager.data_registry if key != "X")
    assert bytes_needed(manager) == 8 * adata.X.nnz + 8 * adata.n_obs + others
    assert resident_dataset(manager, CPU) is None, "a CPU has the data already"


@pytest.mark.gpu
def test_a_front_of_data_on_the_gpu(adata):
    ParetoVI.setup_anndata(adata, batch_key="batch")
    model = ParetoVI(adata, n_hidden=8, n_latent=2)
    device = torch.device("cuda:0")
    assert resident_dataset(model.adata_manager, device) is not None
    model.train(n_points=4, max_epochs=4, max_epochs_pretrain=2, accelerator="gpu", progress=False)
    assert model.front.missing == []
