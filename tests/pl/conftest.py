"""A model with a front that needs no training: what the explorer is tried on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scpareto.pareto import Front

if TYPE_CHECKING:
    from collections.abc import Iterator

_POINTS = (0, 1, 3, 4)


def _cells(n: int = 120) -> anndata.AnnData:
    """Two batches of unequal size, three types, counts of 12 genes."""
    rng = np.random.default_rng(0)
    obs = pd.DataFrame(
        {
            "batch": np.where(np.arange(n) < n // 4, "small", "large"),
            "cell_type": pd.Categorical(np.array(["B", "T", "NK"])[np.arange(n) % 3]),
            "n_counts": rng.lognormal(size=n),
        },
        index=[f"cell_{i}" for i in range(n)],
    )
    adata = anndata.AnnData(sparse.csr_matrix(rng.poisson(2.0, (n, 12)).astype(np.float32)), obs=obs)
    adata.var_names = [f"GENE{i}" for i in range(12)]
    return adata


def _table(alarm: bool = True) -> pd.DataFrame:
    leakage = np.array([0.8, 0.3, 0.1, 0.05])
    columns = {
        "point": _POINTS,
        "kind": ["extreme", "candidate", "candidate", "extreme"],
        "preference_generative_loss": [1.0, 0.7, 0.3, 0.0],
        "preference_mine": [0.0, 0.3, 0.7, 1.0],
        "generative_loss_test": [330.0, 330.5, 332.25, 338.0],
        "mine_test": leakage * 0.9,
        "leakage_mean": leakage,
        "leakage_mean_low": leakage * 0.8,
        "leakage_mean_high": leakage * 1.2,
        "retention": [0.42, 0.42, np.nan, 0.31],
    }
    return pd.DataFrame(columns | ({"alarm": [0.0, 0.0, 0.4, 0.9]} if alarm else {}))


class FrontModel:
    """Codes move with the point: batches are apart at point 0 and together at the last."""

    def __init__(self, adata: anndata.AnnData, *, alarm: bool = True, selected: int = 1) -> None:
        self.adata = adata
        self.front: Front | None = Front(table=_table(alarm), objectives=["generative_loss", "mine"])
        self.selected: int | None = selected
        self.visited: list[int | float] = []
        self.registry = {"setup_args": {"batch_key": "batch", "labels_key": "cell_type", "layer": None}}

    @contextmanager
    def at(self, which: int | None = None, *, preference: float | None = None) -> Iterator[FrontModel]:
        assert which is None or isinstance(which, int)
        before, self.selected = self.selected, preference if which is None else which
        self.visited.append(self.selected)
        try:
            yield self
        finally:
            self.selected = before

    def get_latent_representation(self) -> np.ndarray:
        rng = np.random.default_rng(1)
        kinds = pd.factorize(self.adata.obs["cell_type"])[0]
        noise = rng.normal(size=(self.adata.n_obs, 4))
        batch = (self.adata.obs["batch"] == "small").to_numpy() * (4 - self.selected)
        return noise + np.column_stack([6.0 * kinds, batch, batch, kinds * 0])


@pytest.fixture(scope="session")
def cells():
    """Makes cells: `cells(n)`."""
    return _cells


@pytest.fixture(scope="session")
def front_model():
    """Makes models: `front_model(adata, alarm=True, selected=1)`."""
    return FrontModel
