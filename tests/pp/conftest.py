"""The toy of the note on batch correction, as sums that the models take."""

from __future__ import annotations

import numpy as np
import pytest

from scpareto.datasets import simulate_multiplicative
from scpareto.pp._donors import find_donors
from scpareto.pp._features import compute_features, scale_to_unit_length
from scpareto.pp._pseudobulk import compute_pseudobulk
from scpareto.pp._strata import assign_strata


class Toy:
    """500 genes, 1000 cells, 2 batches, 5 factors; 5 random projections, 32 strata, 3 neighbours."""

    def __init__(self, seed: int) -> None:
        self.adata = simulate_multiplicative(seed=seed)
        self.batch = self.adata.obs["batch"].cat.codes.to_numpy().astype(np.int64)
        scores = compute_features(
            self.adata.X, self.batch, features="rp_resid", n_components=5, n_top_genes=2000, control=None, seed=seed
        )
        unit = scale_to_unit_length(scores)
        self.stratum = assign_strata(scores, unit, strata="sign_hash", n_strata=None, seed=0)
        donors = find_donors(
            unit, self.batch, n_neighbors=3, n_mutual=None, weights="softmax", approximate=None, seed=0
        )
        self.sums, _ = compute_pseudobulk(self.adata.X, np.ones(self.adata.n_obs), self.batch, self.stratum, donors)
        self.effect = self.adata.varm["batch_log_effect"].to_numpy()
        self.mean = np.log(self.adata.varm["unbiased_mean"].to_numpy())

    @property
    def log_means(self) -> np.ndarray:
        return np.log(self.sums.by_batch / np.bincount(self.batch))


@pytest.fixture(scope="session", params=[1331, 1, 2])
def toy(request) -> Toy:
    return Toy(request.param)
