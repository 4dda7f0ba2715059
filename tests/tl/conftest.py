"""Cells whose embeddings are judged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scpareto as sp


@pytest.fixture(scope="session")
def small():
    """Two batches of three types: codes with types and half of the batch, without the batch, and of no cells at all."""
    adata = sp.datasets.simulate_batches(
        n_cells=400, n_genes=80, n_batches=2, n_types=3, batch_strength=1.5, type_strength=1.3, seed=0
    )
    rng = np.random.default_rng(0)
    types = np.asarray(pd.get_dummies(adata.obs["cell_type"]), dtype=float) + 0.1 * rng.normal(size=(400, 3))
    adata.obsm["X_types"] = types
    adata.obsm["X_both"] = types + 0.4 * adata.obs["batch"].cat.codes.to_numpy()[:, None]
    adata.obsm["X_random"] = rng.normal(size=(400, 5))
    return adata
