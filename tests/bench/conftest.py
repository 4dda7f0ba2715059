"""Small data of two and of seven batches, and what makes every method quick."""

from __future__ import annotations

import numpy as np
import pytest
import scanpy as sc
import torch
from anndata import AnnData
from scipy import sparse

from scpareto.datasets import simulate_batches

QUICK = {
    "scvi": {"max_epochs": 3},
    "scanvi": {"max_epochs": 3, "max_epochs_labels": 2},
    "sysvi": {"max_epochs": 3},
    "scvi_hsic": {"max_epochs": 3},
    "scvi_mmd": {"max_epochs": 3},
    "saucie_mmd": {"max_epochs": 10},
    "desc": {"max_epochs": 6, "max_epochs_clusters": 5},
    "scdeepcluster": {"max_epochs": 5, "max_epochs_clusters": 2, "n_clusters": 4},
    "sczidesk": {"max_epochs": 5, "max_epochs_clusters": 2, "n_clusters": 4, "lr": 1e-3},
    "paretovi": {
        "max_epochs": 3,
        "max_epochs_pretrain": 2,
        "n_points": 4,
        "select": 0,
        "plan_kwargs": {"n_bootstrap": 2, "critic_warmup": {"max_epochs": 1}, "de_novo": {"max_epochs": 1}},
    },
}


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    # The first parallel numba function of a process sets the number of OpenMP threads, and so PyTorch's.
    sc.pp.normalize_total(AnnData(sparse.csr_matrix(np.ones((4, 4), dtype=np.float32))))
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def simulate():
    def make(n_batches, *, n_cells=240, n_genes=60, **options):
        options = {"n_types": 4, "type_strength": 3.0, "counts_per_gene": 3.0, "composition": "equal"} | options
        adata = simulate_batches(n_cells, n_genes, n_batches=n_batches, seed=0, **options)
        # Cells of all batches lie among each other.
        return adata[np.random.default_rng(1).permutation(n_cells)].copy()

    return make


@pytest.fixture(scope="session")
def quick():
    return QUICK
