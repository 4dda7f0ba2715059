"""A model with a front that needs no training, for the explorer; figures are closed after each test."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import anndata
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scpareto.pareto import Front

if TYPE_CHECKING:
    from collections.abc import Iterator

_POINTS = (0, 1, 3, 4)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


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


_LEFT, _KEPT = (16.0, 11.0, 7.0, 4.0, 1.5, 1.0), (98.0, 97.9, 97.5, 97.0, 95.0, 82.0)


def _judged_front(left=_LEFT, kept=_KEPT, alarm=1.0, **record) -> Front:
    """A front of one path that was judged.

    Half widths of intervals are 1 % (left) and 2 % (kept), those of differences as well. The alarm rings at the last
    point, unless it is 0. Point 4 is recommended: 3 leaves 2.5 % more, and the margin is 1.5 %.
    """
    n = len(left)
    preference = np.linspace(0.0, 0.9, n)
    table = pd.DataFrame(
        {
            "point": range(n),
            "kind": ["extreme", *["conditional"] * (n - 2), "extreme"],
            "preference_generative_loss": 1 - preference,
            "preference_classifier": preference,
            "generative_loss_test": 330.0 + preference,
            "classifier_test": 0.2 - 0.2 * preference,
            "leakage_mean": np.array(left) / 100,
            "alarm": [*[0.0] * (n - 1), alarm],
        }
    )
    for column, values, half in (("batch_left", left, 1.0), ("structure_kept", kept, 2.0)):
        table[column] = values
        table[f"{column}_low"], table[f"{column}_high"] = table[column] - half, table[column] + half

    def differences(values, half):
        pairs = [(i, j, values[i] - values[j]) for i in range(n) for j in range(i + 1, n)]
        rows = [(f"point {i}", f"point {j}", d, d - half, d + half) for i, j, d in pairs]
        return pd.DataFrame(rows, columns=["first", "second", "difference", "low", "high"])

    def populations(values, column, resolutions):
        rows = [
            (resolution, k, f"point {i}", 200 - 90 * k, value + 10 * k + resolution)
            for resolution in resolutions
            for k in range(3)
            for i, value in enumerate(values)
        ]
        found = pd.DataFrame(rows, columns=["resolution", "population", "embedding", "n_cells", column])
        return found.assign(low=found[column] - 3, high=found[column] + 3)

    place = np.array([0.0, 0.1, 0.3, 0.6, 1.0])
    curve = pd.DataFrame({"place": place, "preference_classifier": place**2, "batch_left": [16.0, 9.0, 4.0, 1.0, 5.0]})
    curve["structure_kept"] = [98.0, 97.0, 97.5, 95.0, 80.0]
    for column in ("batch_left", "structure_kept"):
        curve[f"{column}_low"], curve[f"{column}_high"] = curve[column] - 1, curve[column] + 1
    tables = {
        "curve": curve,
        "differences": differences(left, 1.0),
        "differences_structure": differences(kept, 2.0),
        "populations": populations(left, "batch_left", (0, 1, 2)),
        "populations_structure": populations(kept, "structure_kept", (0,)).drop(columns="resolution"),
    }
    judged = {"column": "batch_left", "margin": 1.5, "n_cells": 800} | record
    objectives = ["generative_loss", "classifier"]
    return Front(table, objectives=objectives, metadata={"judged": judged}, tables=tables)


@pytest.fixture(scope="session")
def judged_front():
    """Makes judged fronts: `judged_front(left, kept, alarm, **record)`."""
    return _judged_front


@pytest.fixture(scope="session")
def cells():
    """Makes cells: `cells(n)`."""
    return _cells


@pytest.fixture(scope="session")
def front_model():
    """Makes models: `front_model(adata, alarm=True, selected=1)`."""
    return FrontModel
